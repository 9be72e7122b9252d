import { quoteName, quoteText } from '../engine/sql-text.ts';
import { literal } from './literal.ts';
import type { ModelSource } from './model-file.ts';
import type { SourceFile } from './source-files.ts';

/**
 * A SELECT of one source file's rows with what landing adds: `_source_file`, `_row` (the ordinal in the file,
 * from 1), `_batch_id` (the run) and `_ingested_at`.
 */
export function sourceSql(source: ModelSource, file: SourceFile, runId: string, nowMs: number): string {
  const added = [
    `${quoteText(file.name)} AS _source_file`,
    `${ordinal(source)} AS _row`,
    `${quoteText(runId)} AS _batch_id`,
    `make_timestamptz(${nowMs * 1000}) AS _ingested_at`,
  ];
  const all = source.format === 'parquet' ? '* EXCLUDE (file_row_number)' : '*';
  return `SELECT ${all}, ${added.join(', ')} FROM ${reader(source, file)}`;
}

function ordinal(source: ModelSource): string {
  // Without an ORDER BY the window numbers rows as they come, and the readers keep a file's order.
  return source.format === 'parquet' ? 'CAST(file_row_number + 1 AS BIGINT)' : 'row_number() OVER ()';
}

function reader(source: ModelSource, file: SourceFile): string {
  const options = Object.entries(source.options ?? {}).map(([k, v]) => `${quoteName(k)} = ${literal(v)}`);
  const path = quoteText(escapeGlob(file.path));
  const all = (extra: readonly string[]) => [path, ...extra, ...options].join(', ');
  if (source.format === 'parquet') return `read_parquet(${all(['file_row_number = true'])})`;
  if (source.format === 'csv') return `read_csv(${all([])})`;
  return `read_json(${all([])})`;
}

/** DuckDB's readers take paths as globs. */
function escapeGlob(path: string): string {
  return path.replace(/[*?[]/g, '[$&]');
}
