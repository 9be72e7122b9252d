import { isKind, LakeError } from '../errors.ts';
import { type PartitionSpec, partitionKey } from '../iceberg/partition-spec.ts';
import type { Schema } from '../iceberg/schema.ts';
import { currentSchema, defaultSpec } from '../iceberg/table-metadata.ts';
import { planScan } from '../table/scan.ts';
import type { AddedFile } from '../table/snapshot-files.ts';
import { openTable, parseTableName, type Table } from '../table/table.ts';
import { writeTableSelect } from '../table/write-table.ts';
import { rangeFilter } from './backfill-range.ts';
import type { TrinoResult, Work } from './build-work.ts';
import { type ChangedPartitions, changedPartitions, digest, tableSelect } from './changed-partitions.ts';
import { mainSnapshotId } from './model-state.ts';
import { viewInput, viewTable } from './run-context.ts';
import { withWrittenByTrino } from './trino-branch.ts';
import { partitionBatches } from './trino-partitions.ts';
import { insertStatement, writesParquet } from './trino-statements.ts';
import { proveRows, refuseDeletes } from './written-files.ts';

export interface PartitionChanges {
  readonly added: readonly AddedFile[];
  readonly removed: ReadonlySet<string>;
  readonly partitions: number;
  /** The branch, and its head, that have to hold the added files until they are committed: no expiry may have taken them. */
  readonly heldBy?: { readonly branch: string; readonly head: bigint };
}

/**
 * Writes the partitions in which the model's result differs from what it was: its result on the inputs of the last
 * run, where they can be had, else the table's rows. In a backfill only partitions of the range are looked at, and
 * always compared with the table's rows, and so is the result of SQL that depends on time or chance.
 */
export async function writeChangedPartitions(work: Work): Promise<PartitionChanges> {
  const { engine } = work.context;
  const result = resultOf(work);
  if (!work.volatile) return writeChanges(work, result);
  // Run once: what is compared has to be what is written.
  const kept = `lake_result_${engine.nextId()}`;
  try {
    await engine.run(`CREATE TABLE ${kept} AS ${result.select}`);
    return await writeChanges(work, { ...result, select: `SELECT * FROM ${kept}` });
  } finally {
    await engine.run(`DROP TABLE IF EXISTS ${kept}`);
  }
}

/**
 * As `writeChangedPartitions`, for a result that Trino holds: it writes the rows of what differs, by one INSERT for each hundred partitions, and what it wrote is read once more before
 * `use` gets it.
 *
 * @returns null where that cannot be said in Trino's words, or it does not find the table's branch: nothing was written
 */
export async function insertChangedPartitions<T>(
  work: Work,
  trino: TrinoResult,
  use: (changes: PartitionChanges) => Promise<T>,
): Promise<T | null> {
  const schema = currentSchema(work.table.metadata);
  const spec = defaultSpec(work.table.metadata);
  const changed = await compare(work, resultOf(work), schema, spec);
  try {
    const partitions = changed.keys.size;
    if (partitions === 0) return await use({ added: [], removed: new Set(), partitions });
    const removed = await filesOf(work.table, changed);
    if (changed.filled.length === 0) return await use({ added: [], removed, partitions });
    const batches = partitionBatches(spec, schema, changed.filled);
    if (batches === null || !writesParquet(work.table.metadata)) return null;
    const inserts = (target: string) => batches.map((batch) => insertStatement(target, trino, schema, batch));
    return await withWrittenByTrino(work, trino, inserts, async (written) => {
      refuseDeletes(written);
      await proveRows(work, written, changed.rows);
      return use({ ...written, removed, partitions });
    });
  } finally {
    await changed.release();
  }
}

/** The new result, and the condition that both sides of the comparison are under. */
interface Result {
  readonly select: string;
  readonly range: string;
}

function resultOf({ context, sql, table: { metadata } }: Work): Result {
  const schema = currentSchema(metadata);
  const range = rangeFilter(context.range, defaultSpec(metadata), schema);
  return { select: tableSelect(sql, schema) + range, range };
}

async function writeChanges(work: Work, result: Result): Promise<PartitionChanges> {
  const { context, table } = work;
  const schema = currentSchema(table.metadata);
  const spec = defaultSpec(table.metadata);
  if (mainSnapshotId(table.metadata) === null) {
    const added = await writeTableSelect(table, context.engine, result.select);
    const partitions = new Set(added.map(({ dataFile }) => partitionKey(dataFile.partition))).size;
    return { added, removed: new Set(), partitions };
  }
  const changed = await compare(work, result, schema, spec);
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
  { select, range }: Result,
  schema: Schema,
  spec: PartitionSpec,
): Promise<ChangedPartitions> {
  const { engine } = work.context;
  const after = await digest(engine, select, spec, schema);
  try {
    const old = range === '' ? await onOldInputs(work, () => digest(engine, select, spec, schema)) : null;
    const before = old ?? (await digest(engine, (await outputSelect(work)) + range, spec, schema));
    return await changedPartitions(engine, { before, after }, select, spec, schema);
  } catch (error) {
    await engine.run(`DROP TABLE IF EXISTS ${after}`);
    throw error;
  }
}

/**
 * Runs `use` while the views of the inputs show them as they were when the model was last built. Null where that
 * cannot be had any more: a snapshot has expired, or an input had other columns then; or where it would not be what was
 * built then, since the SQL depends on time or chance.
 */
export async function onOldInputs<T>(work: Work, use: () => Promise<T>): Promise<T | null> {
  const { context, model, state, versions, volatile } = work;
  if (state === null || volatile || context.fullRefresh || state.model !== model.fingerprint) return null;
  const changed = Object.entries(versions).filter(([id, version]) => state.inputs[id] !== version);
  try {
    for (const [id] of changed) {
      const table = await openTable(context.lake, parseTableName(id));
      const old = state.inputs[id];
      // Version 0 is a table without rows: there is no snapshot to go back to, so the output is compared.
      if (old === undefined || old === '0') return null;
      await viewTable(context, table, { snapshotId: BigInt(old) });
    }
    return await use();
  } catch (error) {
    if (isKind(error, 'not-found', 'usage')) return null;
    throw error;
  } finally {
    for (const [id] of changed) await viewInput(context, id);
  }
}

/** A query of the model's table as it is on main, in the table's types. */
export async function outputSelect(work: Work): Promise<string> {
  const { context, table, model } = work;
  await viewTable(context, table, {});
  const view = model.id
    .split('.')
    .map((part) => `"${part}"`)
    .join('.');
  return tableSelect(`SELECT * FROM ${view}`, currentSchema(table.metadata));
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
