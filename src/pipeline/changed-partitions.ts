import type { DuckDbEngine, RawRow } from '../engine/duckdb.ts';
import { duckDbType } from '../engine/duckdb-types.ts';
import { icebergValue } from '../engine/iceberg-values.ts';
import { quoteName } from '../engine/sql-text.ts';
import { transformSql } from '../engine/transform-sql.ts';
import { LakeError } from '../errors.ts';
import { type PartitionSpec, partitionKey, partitionType } from '../iceberg/partition-spec.ts';
import { fieldsById, type Schema } from '../iceberg/schema.ts';
import { isPrimitive, type Value } from '../iceberg/types.ts';

/** The partitions in which two results differ. */
export interface ChangedPartitions {
  /** Keys (`partitionKey`) of partitions whose rows are others now, gone or new. */
  readonly keys: ReadonlySet<string>;
  /** Tuples of those that hold rows now. */
  readonly filled: readonly (readonly Value[])[];
  /** A query of the new rows of these partitions. */
  readonly rows: string;
  /** Drops the scratch tables behind `rows`. */
  release(): Promise<void>;
}

/** The query's columns cast to the table's types, in the table's order: what two results are compared by. */
export function tableSelect(sql: string, schema: Schema): string {
  const columns = schema.fields.map((field) => {
    const name = quoteName(field.name);
    return `CAST(q.${name} AS ${duckDbType(field.type)}) AS ${name}`;
  });
  return `SELECT ${columns.join(', ')} FROM (${sql}) AS q`;
}

/** SQL of a partition's tuple over the table's columns, one expression a partition field. */
export function partitionKeys(spec: PartitionSpec, schema: Schema): string[] {
  const fields = fieldsById(schema);
  return spec.fields.map((field) => {
    const source = fields.get(field['source-id']);
    if (source === undefined || !isPrimitive(source.type)) {
      throw new LakeError('unsupported', `the partition field ${field.name} has no plain column behind it`, {
        hint: 'partition by a column of the table',
      });
    }
    return transformSql(field.transform, source.type, quoteName(source.name));
  });
}

/** The tuples of the partitions that rows lie in, each once; none for no rows. */
export async function partitionTuples(
  engine: DuckDbEngine,
  select: string,
  spec: PartitionSpec,
  schema: Schema,
): Promise<(readonly Value[])[]> {
  const keys = partitionKeys(spec, schema).map((key, i) => `${key} AS k${i}`);
  const groups = await engine.raw(
    `SELECT DISTINCT ${[...keys, '1 AS n'].join(', ')} FROM (${select}) AS rows`,
  );
  return groups.map((group) => tupleOf(spec, schema, group));
}

/** Of a row with the partition's values in `k0`, `k1`… */
function tupleOf(spec: PartitionSpec, schema: Schema, group: RawRow): Value[] {
  return partitionType(spec, schema).fields.map(({ type }, i) =>
    icebergValue(isPrimitive(type) ? type : 'string', group[`k${i}`] ?? null),
  );
}

/**
 * Sums a result up, partition by partition, into a scratch table: row count and a sum of row hashes, which
 * says nothing of the rows' order.
 *
 * @returns the scratch table's name
 */
export async function digest(
  engine: DuckDbEngine,
  select: string,
  spec: PartitionSpec,
  schema: Schema,
): Promise<string> {
  const table = `lake_digest_${engine.nextId()}`;
  const keys = partitionKeys(spec, schema);
  const named = keys.map((key, i) => `${key} AS k${i}`);
  const hash = `hash(${schema.fields.map((field) => quoteName(field.name)).join(', ')})`;
  const groups = keys.length === 0 ? '' : ` GROUP BY ${keys.map((_, i) => `k${i}`).join(', ')}`;
  const columns = [...named, 'count(*) AS n', `sum(CAST(${hash} AS HUGEINT)) AS h`];
  await engine.run(`CREATE TABLE ${table} AS SELECT ${columns.join(', ')} FROM (${select}) AS rows${groups}`);
  return table;
}

/**
 * Compares two digests. Takes both over: they are dropped by `release`, or here if it fails.
 *
 * @param select the new result, whose rows `rows` filters
 */
export async function changedPartitions(
  engine: DuckDbEngine,
  digests: { readonly before: string; readonly after: string },
  select: string,
  spec: PartitionSpec,
  schema: Schema,
): Promise<ChangedPartitions> {
  const keys = spec.fields.map((_, i) => `k${i}`);
  const changed = `lake_changed_${engine.nextId()}`;
  const drop = [changed, digests.before, digests.after]
    .map((name) => `DROP TABLE IF EXISTS ${name}`)
    .join('; ');
  const release = () => engine.run(drop);
  try {
    const on = keys.map((key) => `b.${key} IS NOT DISTINCT FROM a.${key}`);
    const shown = keys.map((key) => `CASE WHEN a.n IS NULL THEN b.${key} ELSE a.${key} END AS ${key}`);
    await engine.run(
      `CREATE TABLE ${changed} AS SELECT ${[...shown, 'coalesce(a.n, 0) AS n'].join(', ')} ` +
        `FROM ${digests.before} AS b FULL JOIN ${digests.after} AS a ON ${on.length === 0 ? 'true' : on.join(' AND ')} ` +
        'WHERE a.n IS DISTINCT FROM b.n OR a.h IS DISTINCT FROM b.h',
    );
    const groups = await engine.raw(`SELECT * FROM ${changed}`);
    const tuples = groups.map((group) => tupleOf(spec, schema, group));
    const match = partitionKeys(spec, schema).map((_key, i) => `c.k${i} IS NOT DISTINCT FROM r.p${i}`);
    const computed = partitionKeys(spec, schema).map((key, i) => `${key} AS p${i}`);
    const columns = schema.fields.map((field) => `r.${quoteName(field.name)}`).join(', ');
    const rows =
      keys.length === 0
        ? select
        : `SELECT ${columns} FROM (SELECT *, ${computed.join(', ')} FROM (${select}) AS rows) AS r ` +
          `SEMI JOIN (SELECT * FROM ${changed} WHERE n > 0) AS c ON ${match.join(' AND ')}`;
    const filled = tuples.filter((_, i) => Number(groups[i]?.['n']) > 0);
    return { keys: new Set(tuples.map(partitionKey)), filled, rows, release };
  } catch (error) {
    await release();
    throw error;
  }
}
