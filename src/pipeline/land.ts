import { quoteName, quoteText } from '../engine/sql-text.ts';
import { LakeError } from '../errors.ts';
import { MAIN_BRANCH } from '../iceberg/refs.ts';
import { currentSchema } from '../iceberg/table-metadata.ts';
import type { TableUpdate } from '../iceberg/updates.ts';
import { removeWritten } from '../parquet/store-copy.ts';
import { commitWithRetry } from '../table/commit.ts';
import { removeRows } from '../table/remove-rows.ts';
import { planScan } from '../table/scan.ts';
import { type AddedFile, newChange } from '../table/snapshot-files.ts';
import { type SnapshotChange, stageSnapshot } from '../table/stage-snapshot.ts';
import type { Table } from '../table/table.ts';
import { writeTableSelect } from '../table/write-table.ts';
import { SOURCE_NAME } from './graph.ts';
import {
  type FileLanding,
  landedFiles,
  landingProperty,
  SOURCE_FILE_PROPERTY,
  SOURCE_HASH_PROPERTY,
} from './landed-files.ts';
import { headOf } from './lineage.ts';
import type { Model } from './model.ts';
import { isFarBehind, mainSnapshotId } from './model-state.ts';
import { ensureModelTable, findModelTable, outputColumns } from './model-table.ts';
import { type RunContext, viewTable } from './run-context.ts';
import { changedFile, isAsLanded, observeFile, type SourceFile, sourceFiles } from './source-files.ts';
import { sourceSql } from './source-sql.ts';

export interface Landed {
  /** Names of the files that landed, in order. */
  readonly files: readonly string[];
  readonly rows: number;
  readonly snapshotId: bigint | null;
}

/** What was found out about files of which the metadata alone does not tell whether they have landed. */
interface Settled {
  /** Main's snapshot that was looked at: the findings hold for no other. */
  readonly at: bigint | null;
  readonly landed: ReadonlySet<string>;
  readonly waiting: ReadonlySet<string>;
}

const SOURCE_COLUMN = '_source_file';

/**
 * Lands the files of a bronze model's source that main does not hold yet, one commit a file. The commit remembers
 * the file in the table's properties, so a file lands once, whoever else lands it at the same time; one whose
 * landing was rolled back lands again. One that has changed since replaces its rows if the user says so (`landAgain`).
 *
 * @throws LakeError `invalid-argument` for a file that changed after it landed, `corrupt` for a damaged one,
 *   `conflict` where it cannot be told whether a file has landed, or it is still being written (nothing of it was landed); files before it stay landed
 */
export async function landSource(context: RunContext, model: Model): Promise<Landed> {
  const { lake } = context;
  const { source } = model.file;
  if (source === undefined) throw new LakeError('internal', `${model.id} has no source`);
  const files = await sourceFiles(model, source, lake.config.root);
  const table = await findModelTable(lake, model);
  let settled = await settle(context, model, table, files);
  const waiting: SourceFile[] = [];
  for (const file of files) {
    const found = landingOf(table, file, settled);
    if (found.status === 'waiting' || (await landsAnew(context, model, file, found))) waiting.push(file);
  }
  const landed: { name: string; rows: number; snapshotId: bigint | null }[] = [];
  for (const file of waiting) {
    const sql = sourceSql(source, file, context.runId, lake.clock.now());
    const result = await landFile(context, model, file, { sql, settled });
    if (result === null) continue;
    landed.push({ name: file.name, ...result });
    // What was found out holds for the head that this run has made of the one that was looked at.
    settled = { ...settled, at: result.snapshotId };
  }
  if (landed.length === 0 && table !== null) await vouchAgain(context, table, files, settled);
  return {
    files: landed.map(({ name }) => name),
    rows: landed.reduce((sum, { rows }) => sum + rows, 0),
    snapshotId: landed.at(-1)?.snapshotId ?? null,
  };
}

/**
 * True if a landed file has other bytes now, and the user says that they are to replace what has landed.
 *
 * @throws LakeError `invalid-argument` where the user does not say so
 */
async function landsAnew(
  context: RunContext,
  model: Model,
  file: SourceFile,
  { bytes }: FileLanding,
): Promise<boolean> {
  if (bytes === null || (await isAsLanded(file, bytes))) return false;
  if (context.landAgain.has(file.name)) return true;
  throw changedFile(file, model.id);
}

/** What the metadata tells, else what was found out for this very snapshot. */
function landingOf(table: Table | null, file: SourceFile, settled: Settled): FileLanding {
  if (table === null) return { status: 'waiting', bytes: null };
  const found = landedFiles(table.metadata).of(file.name);
  if (found.status !== 'unknown' || mainSnapshotId(table.metadata) !== settled.at) return found;
  if (settled.landed.has(file.name)) return { ...found, status: 'landed' };
  return settled.waiting.has(file.name) ? { ...found, status: 'waiting' } : found;
}

/**
 * Finds out about the files of which the metadata does not tell any more: rows that name the file prove that it has
 * landed, for a file lands in one commit. No rows prove nothing, as they may have been deleted since: the user says.
 */
async function settle(
  context: RunContext,
  model: Model,
  table: Table | null,
  files: readonly SourceFile[],
): Promise<Settled> {
  const none = { at: null, landed: new Set<string>(), waiting: new Set<string>() };
  if (table === null) return none;
  const known = landedFiles(table.metadata);
  const unknown = files.map(({ name }) => name).filter((name) => known.of(name).status === 'unknown');
  if (unknown.length === 0) return none;
  const landed = await namedInRows(context, table, unknown);
  const waiting = new Set<string>();
  for (const name of unknown) {
    if (landed.has(name)) continue;
    if (context.landAgain.has(name)) waiting.add(name);
    else if (context.assumeLanded.has(name)) landed.add(name);
    else throw cannotTell(model, name);
  }
  return { at: mainSnapshotId(table.metadata), landed, waiting };
}

async function namedInRows(
  context: RunContext,
  table: Table,
  names: readonly string[],
): Promise<Set<string>> {
  if (!currentSchema(table.metadata).fields.some((field) => field.name === SOURCE_COLUMN)) return new Set();
  await viewTable(context, table, {});
  const view = table.name.split('.').map(quoteName).join('.');
  const list = names.map(quoteText).join(', ');
  const rows = await context.engine.all(
    `SELECT DISTINCT ${SOURCE_COLUMN} AS name FROM ${view} WHERE ${SOURCE_COLUMN} IN (${list})`,
  );
  return new Set(rows.map((row) => String(row['name'])));
}

function cannotTell(model: Model, name: string): LakeError {
  return new LakeError('conflict', `it cannot be told whether ${name} has landed in ${model.id}`, {
    where: model.id,
    hint:
      'the snapshot that landed it has expired, and no row names it: either its rows were deleted, or its landing was ' +
      `rolled back. Say which: lake run --assume-landed ${name}, or lake run --land-again ${name}. Nothing was landed`,
  });
}

async function landFile(
  context: RunContext,
  model: Model,
  file: SourceFile,
  { sql, settled }: { readonly sql: string; readonly settled: Settled },
): Promise<{ rows: number; snapshotId: bigint | null } | null> {
  const { lake, engine } = context;
  const observed = await observeFile(file);
  const read = { ...file, ...observed.bytes };
  await engine.run(`CREATE OR REPLACE VIEW ${SOURCE_NAME} AS ${sql}`);
  const columns = await outputColumns(engine, model.sql, model.sqlFile);
  const table = await ensureModelTable(lake, model, columns);
  const added = await writeTableSelect(table, engine, model.sql);
  if (!(await observed.isUnchanged())) {
    // Nothing refers to them yet.
    await removeWritten(
      lake.objects,
      added.map(({ dataFile }) => dataFile.filePath),
    );
    throw stillWritten(file);
  }
  const change = newChange(lake.clock);
  const derive = async (current: Table) => {
    const found = landingOf(current, file, settled);
    if (found.status === 'unknown') throw movedMeanwhile(model);
    const replaces = found.status === 'landed';
    if (replaces && !(await landsAnew(context, model, read, found))) return null;
    const properties = {
      'lake.run-id': context.runId,
      [SOURCE_FILE_PROPERTY]: file.name,
      [SOURCE_HASH_PROPERTY]: observed.bytes.sha256,
    };
    const files = replaces
      ? await replacement(context, current, file.name, added)
      : ({ operation: 'append', added } as const);
    const staged = await stageSnapshot(current, change, { ...files, branch: MAIN_BRANCH, properties });
    const snapshot = { snapshotId: staged.snapshotId, sequence: staged.snapshot['sequence-number'] };
    const remembered = {
      ...landedFiles(current.metadata).vouched(snapshot),
      ...settledLandings(current, settled),
      ...landingProperty(file.name, observed.bytes, snapshot),
    };
    const updates: TableUpdate[] = [...staged.updates, { action: 'set-properties', updates: remembered }];
    return { ...staged, updates };
  };
  const result = await commitWithRetry(lake, table.identifier, derive, { writtenFor: table.metadata });
  if (result.staged === null) return null;
  return {
    rows: added.reduce((sum, { dataFile }) => sum + dataFile.recordCount, 0),
    snapshotId: result.snapshotId,
  };
}

/** Takes the rows that a file has landed out, wherever they lie, and puts its rows of now in. */
async function replacement(
  { engine }: RunContext,
  table: Table,
  name: string,
  added: readonly AddedFile[],
): Promise<Pick<SnapshotChange, 'operation' | 'added' | 'removed'>> {
  const schema = currentSchema(table.metadata);
  if (!schema.fields.some((field) => field.name === SOURCE_COLUMN)) {
    throw new LakeError('unsupported', `${table.name} does not say which rows ${name} has landed`, {
      where: table.name,
      hint: `its SQL drops ${SOURCE_COLUMN}: put the old file back, and land new rows in a file with a new name; nothing was landed`,
    });
  }
  const hits = (view: string) =>
    `SELECT __lake_location AS file_path, __lake_pos AS pos FROM ${view} WHERE ${SOURCE_COLUMN} = ${quoteText(name)}`;
  const gone = await removeRows(table, engine, await planScan(table), 'copy-on-write', hits);
  return { operation: 'overwrite', added: [...added, ...gone.added], removed: gone.removed };
}

function stillWritten({ name, path }: SourceFile): LakeError {
  return new LakeError('conflict', `${name} is still being written: it changed while its rows were read`, {
    where: path,
    hint: 'nothing of it was landed; run again when it is complete',
  });
}

/** Landings that were found out, remembered anew as of the head that was looked at. */
function settledLandings({ metadata }: Table, settled: Settled): Record<string, string> {
  const head = headOf(metadata);
  if (head === null || head.snapshotId !== settled.at) return {};
  const known = landedFiles(metadata);
  return Object.assign(
    {},
    ...[...settled.landed].map((name) => {
      const { bytes } = known.of(name);
      return bytes === null ? {} : landingProperty(name, bytes, head);
    }),
  );
}

/**
 * Lets main's head vouch for what has landed, once several snapshots (moves, compaction, deletes) have come since
 * the one that does: otherwise a later expiry would cut off the proof. Only properties change.
 */
async function vouchAgain(
  context: RunContext,
  table: Table,
  files: readonly SourceFile[],
  settled: Settled,
): Promise<void> {
  const { vouching } = landedFiles(table.metadata);
  const stale = vouching === null || isFarBehind(table.metadata, vouching);
  if (mainSnapshotId(table.metadata) === null || (!stale && settled.landed.size === 0)) return;
  await commitWithRetry(context.lake, table.identifier, async (current) => {
    const head = headOf(current.metadata);
    if (head === null || files.some((file) => landingOf(current, file, settled).status !== 'landed'))
      return null;
    const known = landedFiles(current.metadata).vouched(head);
    const updates = { ...known, ...settledLandings(current, settled) };
    return {
      requirements: [
        { type: 'assert-table-uuid', uuid: current.metadata['table-uuid'] },
        { type: 'assert-ref-snapshot-id', ref: MAIN_BRANCH, 'snapshot-id': head.snapshotId },
      ],
      updates: [{ action: 'set-properties', updates }],
      applied: ({ properties }) => Object.entries(updates).every(([key, text]) => properties[key] === text),
    };
  });
}

function movedMeanwhile(model: Model): LakeError {
  return new LakeError('conflict', `${model.id} was changed by another writer during the run`, {
    where: model.id,
    hint: 'the file was not landed; run it again',
  });
}
