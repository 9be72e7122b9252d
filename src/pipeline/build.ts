import type { Table } from '../table/table.ts';
import { commitChanges } from './build-commit.ts';
import {
  insertChangedPartitions,
  type PartitionChanges,
  writeChangedPartitions,
} from './build-partitions.ts';
import { upsertChangedRows } from './build-upsert.ts';
import { isBackfill, otherWriter, type StagedChanges, type Work } from './build-work.ts';
import { headOf } from './lineage.ts';
import type { Model } from './model.ts';
import { isFarBehind, type ModelState, modelState, STATE_PROPERTY, stateOf } from './model-state.ts';
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
    return buildResult(context, model, { sql, versions, volatile, known, trino: null });
  }
  return withTrinoResult(context, model, (sql, trino) =>
    buildResult(context, model, { sql, versions, volatile: false, known, trino }),
  );
}

/** What a model's table is to hold. */
interface ModelResult extends Pick<Work, 'sql' | 'versions' | 'volatile' | 'trino'> {
  /** The table as it was before the SQL was run; null if there was none. */
  readonly known: Table | null;
}

async function buildResult(
  context: RunContext,
  model: Model,
  { known, ...result }: ModelResult,
): Promise<Built> {
  const columns = await outputColumns(context.engine, result.sql, model.sqlFile);
  const table = await ensureModelTable(context.lake, model, columns);
  // Another run has published since, maybe of newer inputs: what this one made of older ones must not be written over it.
  const publishedIn = (one: Table | null) => one?.metadata.properties?.[STATE_PROPERTY];
  if (publishedIn(known) !== publishedIn(table)) throw otherWriter(model);
  // Of the load that the result is compared with and committed on: a rollback may have come since the first. What Trino wrote says nothing of what its SQL gave on other inputs.
  const state = result.trino === null ? modelState(table.metadata) : null;
  const work = { ...result, context, model, table, state };
  const { rows, files, partitions, staged } = await (model.materialisation === 'upsert'
    ? upsertChangedRows(work)
    : replaceChangedPartitions(work));
  context.staged.set(model.id, staged);
  if (staged.head === null) return UNCHANGED;
  return { status: 'built', rows, files, partitions, snapshotId: staged.head };
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
  const commit = (changes: PartitionChanges) => commitChanges(work, changes);
  const byTrino = work.trino === null ? null : await insertChangedPartitions(work, work.trino, commit);
  return byTrino ?? commit(await writeChangedPartitions(work));
}
