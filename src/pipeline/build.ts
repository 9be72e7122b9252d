import { commitWithRetry } from '../table/commit.ts';
import { newChange } from '../table/snapshot-files.ts';
import { stageSnapshot } from '../table/stage-snapshot.ts';
import type { Table } from '../table/table.ts';
import { writeChangedPartitions } from './build-partitions.ts';
import { upsertChangedRows } from './build-upsert.ts';
import { isBackfill, otherWriter, remembered, type StagedChanges, type Work } from './build-work.ts';
import { headOf } from './lineage.ts';
import type { Model } from './model.ts';
import {
  isFarBehind,
  type ModelState,
  mainSnapshotId,
  modelState,
  STATE_PROPERTY,
  stateOf,
} from './model-state.ts';
import { ensureModelTable, findModelTable, outputColumns } from './model-table.ts';
import { resultSql } from './result-sql.ts';
import { type RunContext, viewInput } from './run-context.ts';
import { withTrinoResult } from './trino-result.ts';
import { isTrinoVolatile } from './trino-volatile.ts';
import { isVolatile } from './volatile-sql.ts';

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
 * its inputs are those of the last run, and its SQL depends on nothing else. Otherwise its SQL is run on the inputs as they are and as they were, and
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
  const built = known === null ? null : modelState(known.metadata);
  const isTrino = model.file.engine === 'trino';
  const volatile = isTrino ? isTrinoVolatile(model.sql) : await isVolatile(context.engine, model.sql);
  if (
    known !== null &&
    built !== null &&
    !volatile &&
    isCurrent(context, known, built, { model, versions })
  ) {
    rememberAnew(context, model, known, built);
    return UNCHANGED;
  }
  await beforeBuild(inputs);
  if (!isTrino) {
    const sql = await resultSql(context.engine, model);
    return buildResult(context, model, { sql, versions, volatile, known, isFixed: false });
  }
  return withTrinoResult(context, model, (sql) =>
    buildResult(context, model, { sql, versions, volatile: false, known, isFixed: true }),
  );
}

/** What a model's table is to hold. */
interface ModelResult extends Pick<Work, 'sql' | 'versions' | 'volatile'> {
  /** The table as it was before the SQL was run; null if there was none. */
  readonly known: Table | null;
  /** The SQL reads rows that are there already: it says nothing of what it gave on other inputs. */
  readonly isFixed: boolean;
}

async function buildResult(
  context: RunContext,
  model: Model,
  { sql, versions, volatile, known, isFixed }: ModelResult,
): Promise<Built> {
  const columns = await outputColumns(context.engine, sql, model.sqlFile);
  const table = await ensureModelTable(context.lake, model, columns);
  // Another run has published since, maybe of newer inputs: what this one made of older ones must not be written over it.
  const publishedIn = (one: Table | null) => one?.metadata.properties?.[STATE_PROPERTY];
  if (known !== null && publishedIn(known) !== publishedIn(table)) throw otherWriter(model);
  // Of the load that the result is compared with and committed on: a rollback may have come since the first.
  const state = isFixed ? null : modelState(table.metadata);
  const work = { context, model, sql, table, state, versions, volatile };
  const { added, partitions, staged } = await (model.materialisation === 'upsert'
    ? upsertChangedRows(work)
    : replaceChangedPartitions(work));
  context.staged.set(model.id, staged);
  if (staged.head === null) return UNCHANGED;
  const rows = added.reduce((sum, { dataFile }) => sum + dataFile.recordCount, 0);
  return { status: 'built', rows, files: added.length, partitions, snapshotId: staged.head };
}

/** Lets main's head stand for what was published once several snapshots have come since: see `isFarBehind`. */
function rememberAnew(context: RunContext, model: Model, table: Table, state: ModelState): void {
  const head = headOf(table.metadata);
  if (head === null || !isFarBehind(table.metadata, state.published)) return;
  const properties = { [STATE_PROPERTY]: stateOf({ ...state, published: head }) };
  context.staged.set(model.id, { table, base: head.snapshotId, head: null, properties });
}

function isCurrent(
  context: RunContext,
  table: Table,
  state: ModelState,
  { model, versions }: Pick<Work, 'model' | 'versions'>,
): boolean {
  if (context.fullRefresh || isBackfill(context, table)) return false;
  return state.model === model.fingerprint && sameInputs(state.inputs, versions);
}

function sameInputs(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  return Object.keys(a).length === Object.keys(b).length && Object.entries(b).every(([id, v]) => a[id] === v);
}

async function replaceChangedPartitions(work: Work): Promise<StagedChanges> {
  const { context, model, table, versions } = work;
  const changes = await writeChangedPartitions(work);
  const { added, removed } = changes;
  const base = mainSnapshotId(table.metadata);
  if (added.length === 0 && removed.size === 0) {
    const properties = remembered(work, headOf(table.metadata), false);
    return { ...changes, staged: { table, base, head: null, properties } };
  }
  const change = newChange(context.lake.clock);
  const derive = async (current: Table) => {
    if (mainSnapshotId(current.metadata) !== base) throw otherWriter(model);
    return stageSnapshot(current, change, {
      operation: removed.size === 0 ? 'append' : added.length === 0 ? 'delete' : 'overwrite',
      added,
      removed,
      branch: context.branch,
      properties: { 'lake.run-id': context.runId, 'lake.inputs': JSON.stringify(versions) },
    });
  };
  const writtenFor = table.metadata;
  const result = await commitWithRetry(context.lake, table.identifier, derive, { writtenFor });
  const snapshot = result.staged?.snapshot;
  const published =
    snapshot === undefined
      ? null
      : { snapshotId: snapshot['snapshot-id'], sequence: snapshot['sequence-number'] };
  const properties = remembered(work, published, true);
  return { ...changes, staged: { table: result.table, base, head: result.snapshotId, properties } };
}
