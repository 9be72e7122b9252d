import { quoteName, viewName } from '../engine/sql-text.ts';
import { TrinoEngine } from '../engine/trino.ts';
import { pinTables, refuseWrites, type TableMention, tableMentions } from '../engine/trino-as-of.ts';
import { dataRead, refuseOtherReads } from '../engine/trino-reads.ts';
import { isKind, LakeError } from '../errors.ts';
import { snapshotById } from '../iceberg/table-metadata.ts';
import type { Lake } from '../project/open-lake.ts';
import { openTable, type Table } from '../table/table.ts';
import type { TrinoResult } from './build-work.ts';
import type { OutputColumn } from './column-types.ts';
import type { Model } from './model.ts';
import { mainSnapshotId } from './model-state.ts';
import { type RunContext, viewTable } from './run-context.ts';
import { trinoColumns } from './trino-columns.ts';
import { createStaging, dropStaging, loadStaging } from './trino-staging.ts';

/**
 * Lets Trino run a model's SQL, once, on its inputs as this run sees them, into a staging table of the run, and hands `use` the embedded engine's SQL for the rows, and what Trino
 * needs to write them on. The staging table is dropped, whatever comes.
 *
 * @throws LakeError `usage` for SQL that Trino refuses, `unsupported` for what cannot be read at a snapshot or stored, `conflict` where an empty input
 *   got rows meanwhile, `unavailable` where Trino is lost: nothing was published
 */
export async function withTrinoResult<T>(
  context: RunContext,
  model: Model,
  use: (sql: string, result: TrinoResult) => Promise<T>,
): Promise<T> {
  const { lake } = context;
  const trino = trinoOf(lake, model);
  const { sql, inputs } = pinInputs(context, model);
  const reads = inputs.map(({ id, snapshotId }) => dataRead(trino.catalog, id, snapshotId));
  await refuseOtherReads(trino, sql, reads);
  const columns = trinoColumns(await trino.describe(sql), model.sqlFile);
  const { identifier } = await createStaging(lake, model, context.runId, columns);
  try {
    const target = `${quoteName(trino.catalog)}.${viewName(identifier)}`;
    const rows = await insert(trino, target, sql, columns);
    await refuseNewRows(lake, inputs);
    // A view of Trino's may have been made anew since the plan was asked for.
    await refuseOtherReads(trino, sql, reads);
    await viewTable(context, await loadStaging(lake, identifier, rows), {});
    return await use(`SELECT * FROM ${viewName(identifier)}`, { trino, staging: identifier });
  } finally {
    await dropStaging(lake, identifier);
  }
}

/** The tables that a Trino model reads, `layer.name`. Errors: `usage` for what is no query, `unsupported` where they cannot be told. */
export function trinoReads(sql: string): string[] {
  refuseWrites(sql);
  return [...new Set(tableMentions(sql).map(({ parts }) => parts.join('.')))].sort();
}

function trinoOf(lake: Lake, model: Model): TrinoEngine {
  const { trino, file } = lake.config;
  if (trino !== undefined) return new TrinoEngine(trino, lake.clock);
  throw new LakeError(
    'invalid-file',
    `${model.id} is to be run by Trino, and lake.yaml names no Trino server`,
    {
      where: file,
      hint: 'write trino: { server: "http://localhost:8080", catalog: lake }, or leave out engine: trino',
    },
  );
}

/** An input at the snapshot that this run sees; null: it has none. */
interface PinnedInput {
  readonly id: string;
  readonly table: Table;
  readonly snapshotId: bigint | null;
}

function pinInputs(context: RunContext, model: Model): { sql: string; inputs: readonly PinnedInput[] } {
  const mentions = tableMentions(model.sql);
  const inputs = mentions.map((mention) => pinned(context, mention));
  const some = mentions.filter((_, i) => inputs[i]?.snapshotId !== null);
  const ids = inputs.flatMap(({ snapshotId }) => (snapshotId === null ? [] : [snapshotId]));
  return { sql: pinTables(model.sql, some, ids), inputs };
}

/** As `viewInput` sees it. */
function pinned(context: RunContext, { parts }: TableMention): PinnedInput {
  const id = parts.join('.');
  const staged = context.staged.get(id);
  const table = staged?.table ?? context.pinned.get(id);
  if (table === undefined) throw new LakeError('internal', `${id} was not looked at before it is read`);
  const snapshotId = staged?.head ?? mainSnapshotId(table.metadata);
  const snapshot = snapshotId === null ? undefined : snapshotById(table.metadata, snapshotId);
  const current = table.metadata['current-schema-id'];
  if ((snapshot?.['schema-id'] ?? current) !== current) {
    throw new LakeError(
      'unsupported',
      `the columns of ${id} were changed after its last snapshot, and Trino would read the old ones`,
      {
        hint: 'Run again when new rows have come into it, or let this model be run by duckdb until then.',
      },
    );
  }
  return { id, table, snapshotId };
}

/** INSERT of the whole result. Nothing is published by it, so that a lost answer is no unknown outcome. */
async function insert(
  trino: TrinoEngine,
  target: string,
  sql: string,
  columns: readonly OutputColumn[],
): Promise<number> {
  const names = columns.map(({ name }) => quoteName(name)).join(', ');
  try {
    return await trino.run(`INSERT INTO ${target} (${names}) SELECT ${names} FROM (\n${sql}\n) AS q`);
  } catch (error) {
    if (!isKind(error, 'unknown-outcome')) throw error;
    throw new LakeError('unavailable', error.message, {
      hint: 'It wrote to a staging table alone: nothing of silver and gold was published. Run again.',
      cause: error,
    });
  }
}

/** An empty table has no snapshot to hold on to: rows that came into it while Trino read must not be in the result. */
async function refuseNewRows(lake: Lake, inputs: readonly PinnedInput[]): Promise<void> {
  for (const { id, table, snapshotId } of inputs) {
    if (snapshotId !== null) continue;
    const { metadata } = await openTable(lake, table.identifier);
    if (mainSnapshotId(metadata) === null) continue;
    throw new LakeError('conflict', `${id} got its first rows while Trino read it`, {
      hint: 'nothing of silver and gold was published; run it again',
    });
  }
}
