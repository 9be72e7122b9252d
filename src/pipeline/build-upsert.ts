import type { DuckDbEngine } from '../engine/duckdb.ts';
import { quoteName } from '../engine/sql-text.ts';
import { partitionKey } from '../iceberg/partition-spec.ts';
import { currentSchema, defaultSpec } from '../iceberg/table-metadata.ts';
import { upsertSelect } from '../table/upsert.ts';
import { checkUpsertKeys } from '../table/upsert-batch.ts';
import { rangeFilter } from './backfill-range.ts';
import { commitChanges } from './build-commit.ts';
import { onOldInputs, outputSelect } from './build-partitions.ts';
import {
  nothingChanged,
  otherWriter,
  remembered,
  type StagedChanges,
  type TrinoResult,
  type Work,
} from './build-work.ts';
import { partitionTuples, tableSelect } from './changed-partitions.ts';
import { checksOf } from './checks.ts';
import { mainSnapshotId } from './model-state.ts';
import { findOffenders, throwFailedChecks } from './run-checks.ts';
import { withWrittenByTrino } from './trino-branch.ts';
import { partitionBatches } from './trino-partitions.ts';
import { mergeStatement, upsertsOnlyByCopy, writesParquet } from './trino-statements.ts';
import { proveRest, proveRows } from './written-files.ts';

/**
 * Upserts the rows of the result that are new or other than they were: than on the inputs of the last run, where
 * these can be had, else than the table's own. Rows whose key is no longer in the result stay. How (position deletes or
 * files written anew) the table's properties say.
 *
 * @throws LakeError `check-failed` where keys are null or come twice, before anything is written
 */
export async function upsertChangedRows(work: Work): Promise<StagedChanges> {
  const { context, table } = work;
  const { engine } = context;
  const schema = currentSchema(table.metadata);
  const range = rangeFilter(context.range, defaultSpec(table.metadata), schema);
  const select = tableSelect(work.sql, schema) + range;
  const result = `lake_result_${engine.nextId()}`;
  const before = `lake_before_${engine.nextId()}`;
  try {
    await engine.run(`CREATE TABLE ${result} AS ${select}`);
    await checkKeys(work, result);
    const old =
      range === ''
        ? await onOldInputs(work, () => engine.run(`CREATE TABLE ${before} AS ${select}`).then(() => true))
        : null;
    const was = old === true ? `SELECT * FROM ${before}` : await outputSelect(work);
    const changed = `SELECT * FROM ${result} EXCEPT ${was}`;
    const byTrino =
      work.trino === null ? null : await mergeChangedRows(work, work.trino, { result, was, changed });
    return byTrino ?? (await upsert(work, changed));
  } finally {
    await engine.run(`DROP TABLE IF EXISTS ${result}; DROP TABLE IF EXISTS ${before}`);
  }
}

/** The keys of what is to go in, by the model's own checks of its key: after an upsert the table would hide doubles. */
async function checkKeys({ context, model }: Work, result: string): Promise<void> {
  const keys = model.file.key ?? [];
  const own = checksOf(model, context.policyNow).filter(
    ({ kind, columns }) =>
      (kind === 'unique' && columns.join() === keys.join()) ||
      (kind === 'not_null' && keys.includes(columns[0] ?? '')),
  );
  for (const { kind, rule, severity, offenders } of own) {
    const found = await findOffenders(
      context.engine,
      `WITH checked AS (SELECT * FROM ${quoteName(result)}) ${offenders}`,
    );
    const results = [{ model: model.id, kind, severity, rule, passed: found.failures === 0, ...found }];
    context.checks.push(...(found.failures === 0 ? [] : results));
    throwFailedChecks(results, 'nothing of silver and gold was published; keep one row a key in the SQL');
  }
}

/**
 * Trino's MERGE, one for each hundred partitions; the rows that it wrote are read once more, and so is the rest of the table.
 *
 * @param was a query of the table's rows; what Trino gave is always compared with these
 * @returns null where that cannot be said in its words, or it does not find the table's branch: nothing was written
 */
async function mergeChangedRows(
  work: Work,
  trino: TrinoResult,
  { result, was, changed }: { readonly result: string; readonly was: string; readonly changed: string },
): Promise<StagedChanges | null> {
  const { model, table, context } = work;
  const { engine } = context;
  const schema = currentSchema(table.metadata);
  const spec = defaultSpec(table.metadata);
  const keys = model.file.key ?? [];
  await checkUpsertKeys(engine, schema, result, keys);
  const rows = `lake_changed_${engine.nextId()}`;
  try {
    await engine.run(`CREATE TABLE ${rows} AS ${changed}`);
    const tuples = await partitionTuples(engine, `SELECT * FROM ${rows}`, spec, schema);
    if (tuples.length === 0) return nothingChanged(work);
    const batches = partitionBatches(spec, schema, tuples);
    if (batches === null || !writesParquet(table.metadata) || upsertsOnlyByCopy(table.metadata)) return null;
    if (await hasDoubles(engine, { was, rows, keys })) return null;
    const merges = (target: string) =>
      batches.map((batch) => mergeStatement(target, trino, schema, batch, keys));
    return await withWrittenByTrino(work, trino, merges, async (written) => {
      await proveRows(work, written, `SELECT * FROM ${rows}`);
      const rest = `SELECT t.* FROM (${was}) AS t ANTI JOIN ${rows} AS c ON ${sameKey(keys)}`;
      await proveRest(work, written, rest);
      return commitChanges(work, { ...written, partitions: tuples.length });
    });
  } finally {
    await engine.run(`DROP TABLE IF EXISTS ${rows}`);
  }
}

const sameKey = (keys: readonly string[]): string =>
  keys.map((key) => `t.${quoteName(key)} = c.${quoteName(key)}`).join(' AND ');

/** True if the table itself has a key twice among those that change: the embedded engine leaves one of them, a MERGE both. */
async function hasDoubles(
  engine: DuckDbEngine,
  { was, rows, keys }: { readonly was: string; readonly rows: string; readonly keys: readonly string[] },
): Promise<boolean> {
  const columns = keys.map((key) => `t.${quoteName(key)}`).join(', ');
  const twice = await engine.all(
    `SELECT 1 AS one FROM (${was}) AS t SEMI JOIN ${rows} AS c ON ${sameKey(keys)}
     GROUP BY ${columns} HAVING count(*) > 1 LIMIT 1`,
  );
  return twice.length > 0;
}

async function upsert(work: Work, sql: string): Promise<StagedChanges> {
  const { context, model, table, versions } = work;
  const base = mainSnapshotId(table.metadata);
  const done = await upsertSelect(context.lake, context.engine, table.identifier, {
    sql,
    keys: model.file.key ?? [],
    branch: context.branch,
    basedOn: base,
    properties: { 'lake.run-id': context.runId, 'lake.inputs': JSON.stringify(versions) },
  });
  if (done.snapshotId === null || done.staged === null) {
    return nothingChanged(work);
  }
  const { snapshot } = done.staged;
  // The branch starts at main as it is when the upsert is committed: another writer may have come in between.
  if ((snapshot['parent-snapshot-id'] ?? null) !== base) {
    context.staged.set(model.id, { table: done.table, base, head: done.snapshotId, properties: {} });
    throw otherWriter(model);
  }
  const published = { snapshotId: done.snapshotId, sequence: snapshot['sequence-number'] };
  const properties = remembered(work, published, true);
  return {
    rows: done.files.reduce((sum, { recordCount }) => sum + recordCount, 0),
    files: done.files.length,
    partitions: new Set(done.files.map(({ partition }) => partitionKey(partition))).size,
    staged: { table: done.table, base, head: done.snapshotId, properties },
  };
}
