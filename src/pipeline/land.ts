import { LakeError } from '../errors.ts';
import { MAIN_BRANCH } from '../iceberg/refs.ts';
import { commitWithRetry } from '../table/commit.ts';
import { newChange } from '../table/snapshot-files.ts';
import { stageSnapshot } from '../table/stage-snapshot.ts';
import { writeTableSelect } from '../table/write-table.ts';
import { SOURCE_NAME } from './graph.ts';
import type { Model } from './model.ts';
import { ensureModelTable, findModelTable, outputColumns } from './model-table.ts';
import type { RunContext } from './run-context.ts';
import {
  fileHash,
  landedFile,
  landedProperty,
  landedText,
  needsLanding,
  type SourceFile,
  sourceFiles,
} from './source-files.ts';
import { sourceSql } from './source-sql.ts';

export interface Landed {
  /** Names of the files that landed, in order. */
  readonly files: readonly string[];
  readonly rows: number;
  readonly snapshotId: bigint | null;
}

/**
 * Lands the files of a bronze model's source that have not landed yet, one commit a file. The commit remembers
 * the file in the table's properties, so a file lands once, whoever else lands it at the same time.
 *
 * @throws LakeError `invalid-argument` for a file that changed after it landed, `corrupt` for a damaged one;
 *   files before it stay landed
 */
export async function landSource(context: RunContext, model: Model): Promise<Landed> {
  const { lake } = context;
  const { source } = model.file;
  if (source === undefined) throw new LakeError('internal', `${model.id} has no source`);
  const files = await sourceFiles(model, source, lake.config.root);
  const properties = (await findModelTable(lake, model))?.metadata.properties ?? {};
  const waiting: SourceFile[] = [];
  for (const file of files) {
    if (await needsLanding(file, landedFile(properties, file.name), model.id)) waiting.push(file);
  }
  const landed: { name: string; rows: number; snapshotId: bigint | null }[] = [];
  for (const file of waiting) {
    const sql = sourceSql(source, file, context.runId, lake.clock.now());
    const result = await landFile(context, model, file, sql);
    if (result !== null) landed.push({ name: file.name, ...result });
  }
  return {
    files: landed.map(({ name }) => name),
    rows: landed.reduce((sum, { rows }) => sum + rows, 0),
    snapshotId: landed.at(-1)?.snapshotId ?? null,
  };
}

async function landFile(
  context: RunContext,
  model: Model,
  file: SourceFile,
  sql: string,
): Promise<{ rows: number; snapshotId: bigint | null } | null> {
  const { lake, engine } = context;
  await engine.run(`CREATE OR REPLACE VIEW ${SOURCE_NAME} AS ${sql}`);
  const columns = await outputColumns(engine, model.sql, model.sqlFile);
  const table = await ensureModelTable(lake, model, columns);
  const sha256 = await fileHash(file.path);
  const added = await writeTableSelect(table, engine, model.sql);
  const change = newChange(lake.clock);
  const property = { [landedProperty(file.name)]: landedText({ ...file, sha256 }) };
  const result = await commitWithRetry(lake, table.identifier, async (current) => {
    const landed = landedFile(current.metadata.properties, file.name);
    if (landed !== null && !(await needsLanding(file, landed, model.id))) return null;
    const properties = { 'lake.run-id': context.runId, 'lake.source-file': file.name };
    const request = { operation: 'append', added, branch: MAIN_BRANCH, properties } as const;
    const staged = await stageSnapshot(current, change, request);
    return { ...staged, updates: [...staged.updates, { action: 'set-properties', updates: property }] };
  });
  if (result.staged === null) return null;
  return {
    rows: added.reduce((sum, { dataFile }) => sum + dataFile.recordCount, 0),
    snapshotId: result.snapshotId,
  };
}
