import { isKind, LakeError } from '../errors.ts';
import { type PartitionSpec, partitionKey } from '../iceberg/partition-spec.ts';
import type { Schema } from '../iceberg/schema.ts';
import { currentSchema, defaultSpec } from '../iceberg/table-metadata.ts';
import { commitWithRetry } from '../table/commit.ts';
import { planScan } from '../table/scan.ts';
import { type AddedFile, newChange } from '../table/snapshot-files.ts';
import { stageSnapshot } from '../table/stage-snapshot.ts';
import { openTable, parseTableName, type Table } from '../table/table.ts';
import { writeTableSelect } from '../table/write-table.ts';
import { type ChangedPartitions, changedPartitions, digest, tableSelect } from './changed-partitions.ts';
import type { Model } from './model.ts';
import { type ModelState, mainSnapshotId, modelState, STATE_PROPERTY } from './model-state.ts';
import { ensureModelTable, findModelTable, outputColumns } from './model-table.ts';
import { type RunContext, type StagedModel, viewInput, viewTable } from './run-context.ts';

export interface Built {
  readonly status: 'built' | 'unchanged';
  readonly rows: number;
  readonly files: number;
  readonly partitions: number;
  readonly snapshotId: bigint | null;
}

const UNCHANGED: Built = { status: 'unchanged', rows: 0, files: 0, partitions: 0, snapshotId: null };

/**
 * Brings a silver or gold model up to date on the run's branch. Nothing is done while its SQL and the rows of
 * its inputs are those of the last run. Otherwise its SQL is run on the inputs as they are and as they were, and
 * only partitions in which the two results differ are written: all others stay where they lie, in their tier.
 *
 * @param beforeBuild called with the inputs (their views are there) if there is something to do; may refuse them
 */
export async function buildModel(
  context: RunContext,
  model: Model,
  beforeBuild: (inputs: readonly string[]) => Promise<void>,
): Promise<Built> {
  const inputs = context.graph.inputs.get(model.id) ?? [];
  const versions: Record<string, string> = {};
  for (const id of inputs) versions[id] = await viewInput(context, id);
  const known = await findModelTable(context.lake, model);
  const state = known === null ? null : modelState(known.metadata);
  if (state !== null && !context.fullRefresh && isCurrent(state, model, versions)) return UNCHANGED;
  await beforeBuild(inputs);
  const columns = await outputColumns(context.engine, model.sql, model.sqlFile);
  const table = await ensureModelTable(context.lake, model, columns);
  const work = { context, model, table, state, versions };
  const { added, removed, partitions } = await writeChanges(work);
  const staged = await stage(work, added, removed);
  context.staged.set(model.id, staged);
  if (staged.head === null) return UNCHANGED;
  const rows = added.reduce((sum, { dataFile }) => sum + dataFile.recordCount, 0);
  return { status: 'built', rows, files: added.length, partitions, snapshotId: staged.head };
}

interface Work {
  readonly context: RunContext;
  readonly model: Model;
  readonly table: Table;
  readonly state: ModelState | null;
  readonly versions: Readonly<Record<string, string>>;
}

interface Changes {
  readonly added: readonly AddedFile[];
  readonly removed: ReadonlySet<string>;
  readonly partitions: number;
}

function isCurrent(state: ModelState, model: Model, versions: Readonly<Record<string, string>>): boolean {
  return state.model === model.fingerprint && sameInputs(state.inputs, versions);
}

function sameInputs(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  return Object.keys(a).length === Object.keys(b).length && Object.entries(b).every(([id, v]) => a[id] === v);
}

async function writeChanges(work: Work): Promise<Changes> {
  const { context, model, table } = work;
  const schema = currentSchema(table.metadata);
  const select = tableSelect(model.sql, schema);
  if (mainSnapshotId(table.metadata) === null) {
    const added = await writeTableSelect(table, context.engine, select);
    const partitions = new Set(added.map(({ dataFile }) => partitionKey(dataFile.partition))).size;
    return { added, removed: new Set(), partitions };
  }
  const changed = await compare(work, select, schema, defaultSpec(table.metadata));
  try {
    if (changed.keys.size === 0) return { added: [], removed: new Set(), partitions: 0 };
    const added = await writeTableSelect(table, context.engine, changed.rows);
    return { added, removed: await filesOf(table, changed), partitions: changed.keys.size };
  } finally {
    await changed.release();
  }
}

async function compare(
  work: Work,
  select: string,
  schema: Schema,
  spec: PartitionSpec,
): Promise<ChangedPartitions> {
  const { engine } = work.context;
  const after = await digest(engine, select, spec, schema);
  try {
    const before =
      (await digestOfOldInputs(work, select, schema, spec)) ?? (await digestOfOutput(work, schema, spec));
    return await changedPartitions(engine, { before, after }, select, spec, schema);
  } catch (error) {
    await engine.run(`DROP TABLE IF EXISTS ${after}`);
    throw error;
  }
}

/** The model's result on the inputs of the last run; null where that cannot be had any more. */
async function digestOfOldInputs(
  work: Work,
  select: string,
  schema: Schema,
  spec: PartitionSpec,
): Promise<string | null> {
  const { context, model, state, versions } = work;
  if (state === null || context.fullRefresh || state.model !== model.fingerprint) return null;
  const changed = Object.entries(versions).filter(([id, version]) => state.inputs[id] !== version);
  try {
    for (const [id] of changed) {
      const table = await openTable(context.lake, parseTableName(id));
      const old = state.inputs[id];
      // Version 0 is a table without rows: there is no snapshot to go back to, so the output is compared.
      if (old === undefined || old === '0') return null;
      await viewTable(context, table, { snapshotId: BigInt(old) });
    }
    return await digest(context.engine, select, spec, schema);
  } catch (error) {
    // The snapshot has expired, or an input had other columns then: the output as it stands is compared.
    if (isKind(error, 'not-found', 'usage')) return null;
    throw error;
  } finally {
    for (const [id] of changed) await viewInput(context, id);
  }
}

async function digestOfOutput(work: Work, schema: Schema, spec: PartitionSpec): Promise<string> {
  const { engine } = work.context;
  await viewTable(work.context, work.table, {});
  const view = work.model.id
    .split('.')
    .map((part) => `"${part}"`)
    .join('.');
  return digest(engine, tableSelect(`SELECT * FROM ${view}`, schema), spec, schema);
}

/** Paths of the data and delete files of the changed partitions on main. */
async function filesOf(table: Table, changed: ChangedPartitions): Promise<Set<string>> {
  const spec = defaultSpec(table.metadata);
  const paths = new Set<string>();
  for (const task of (await planScan(table)).tasks) {
    if (task.spec['spec-id'] !== spec['spec-id']) {
      throw new LakeError('unsupported', `${table.name} has files of an earlier partitioning`, {
        hint: 'rewrite its files first, or drop the table and run again',
      });
    }
    if (!changed.keys.has(partitionKey(task.dataFile.partition))) continue;
    paths.add(task.dataFile.filePath);
    for (const found of task.deletes) {
      if (found.spec['spec-id'] !== spec['spec-id']) continue;
      if (partitionKey(found.dataFile.partition) === partitionKey(task.dataFile.partition)) {
        paths.add(found.dataFile.filePath);
      }
    }
  }
  return paths;
}

async function stage(
  work: Work,
  added: readonly AddedFile[],
  removed: ReadonlySet<string>,
): Promise<StagedModel> {
  const { context, model, table, versions } = work;
  const base = mainSnapshotId(table.metadata);
  const remember = (sequence: number): Record<string, string> => ({
    [STATE_PROPERTY]: JSON.stringify({ model: model.fingerprint, inputs: versions, sequence }),
  });
  if (added.length === 0 && removed.size === 0) {
    const sequence =
      table.metadata.snapshots.find((s) => s['snapshot-id'] === base)?.['sequence-number'] ?? 0;
    return { table, base, head: null, properties: remember(sequence) };
  }
  const change = newChange(context.lake.clock);
  const result = await commitWithRetry(context.lake, table.identifier, async (current) => {
    if (mainSnapshotId(current.metadata) !== base) throw otherWriter(model);
    return stageSnapshot(current, change, {
      operation: removed.size === 0 ? 'append' : added.length === 0 ? 'delete' : 'overwrite',
      added,
      removed,
      branch: context.branch,
      properties: { 'lake.run-id': context.runId, 'lake.inputs': JSON.stringify(versions) },
    });
  });
  const sequence = result.staged?.snapshot['sequence-number'] ?? 0;
  return { table: result.table, base, head: result.snapshotId, properties: remember(sequence) };
}

function otherWriter(model: Model): LakeError {
  return new LakeError('conflict', `${model.id} was changed by another writer during the run`, {
    where: model.id,
    hint: 'nothing of silver and gold was published; run it again',
  });
}
