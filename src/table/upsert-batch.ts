import type { DuckDbEngine, RawRow } from '../engine/duckdb.ts';
import { duckDbType } from '../engine/duckdb-types.ts';
import { icebergValue } from '../engine/iceberg-values.ts';
import { quoteName } from '../engine/sql-text.ts';
import { LakeError } from '../errors.ts';
import type { Expression } from '../iceberg/expressions.ts';
import { requireField, type Schema } from '../iceberg/schema.ts';
import { isPrimitive, type NestedField, type PrimitiveType, primitiveKind } from '../iceberg/types.ts';

/** A key column: a top-level column of a primitive type that can be compared exactly. */
interface KeyField extends NestedField {
  readonly type: PrimitiveType;
}

/** The rows of an upsert, staged in the engine, with their keys checked. */
export interface UpsertBatch {
  /** The query's rows. */
  readonly rows: string;
  /** One row a key, in the table's types, under the names of the key columns. */
  readonly keys: string;
  readonly fields: readonly KeyField[];
  readonly records: number;
  /** True for rows that may have one of the keys, for leaving files out. */
  readonly filter: Expression;
}

/** So many ranges of a key column are told apart when files are left out. */
const RANGES = 64;
const SHOWN = 5;

/**
 * Runs an upsert's query once and checks its keys. Drop it with `dropBatch`.
 * Errors: `usage`, `not-found` for a key column, `invalid-argument` for keys that are null or come twice (with some of them).
 */
export async function stageBatch(
  engine: DuckDbEngine,
  schema: Schema,
  request: { readonly sql: string; readonly keys: readonly string[] },
): Promise<UpsertBatch> {
  const fields = keyFields(schema, request.keys);
  const id = engine.nextId();
  const [rows, keys] = [quoteName(`lake upsert ${id}`), quoteName(`lake upsert keys ${id}`)];
  try {
    await engine.run(`CREATE TABLE ${rows} AS ${request.sql}`);
    await checkColumns(engine, rows, fields);
    const casts = fields.map(
      ({ name, type }) => `CAST(${quoteName(name)} AS ${duckDbType(type)}) AS ${quoteName(name)}`,
    );
    await engine.run(`CREATE TABLE ${keys} AS SELECT ${casts.join(', ')} FROM ${rows}`);
    await refuseNullKeys(engine, keys, fields);
    await refuseDuplicates(engine, keys, fields);
    const [count] = await engine.all(`SELECT count(*) AS n FROM ${keys}`);
    return {
      rows,
      keys,
      fields,
      records: Number(count?.['n'] ?? 0),
      filter: await keyFilter(engine, keys, fields),
    };
  } catch (error) {
    await dropBatch(engine, { rows, keys });
    throw error;
  }
}

/**
 * Checks the keys of rows that another engine is to upsert. Errors: as `stageBatch`.
 *
 * @param rows a table of the engine's
 */
export async function checkUpsertKeys(
  engine: DuckDbEngine,
  schema: Schema,
  rows: string,
  names: readonly string[],
): Promise<void> {
  const fields = keyFields(schema, names);
  await checkColumns(engine, rows, fields);
  await refuseNullKeys(engine, rows, fields);
  await refuseDuplicates(engine, rows, fields);
}

export async function dropBatch(
  engine: DuckDbEngine,
  batch: Pick<UpsertBatch, 'rows' | 'keys'>,
): Promise<void> {
  await engine.run(`DROP TABLE IF EXISTS ${batch.rows}; DROP TABLE IF EXISTS ${batch.keys}`);
}

/** A query for the places of a view's rows whose key is among the batch's. */
export function matchingRows({ keys, fields }: UpsertBatch, view: string): string {
  const same = fields.map(({ name }) => `v.${quoteName(name)} = k.${quoteName(name)}`).join(' AND ');
  return `SELECT v.__lake_location AS file_path, v.__lake_pos AS pos FROM ${view} AS v SEMI JOIN ${keys} AS k ON ${same}`;
}

function keyFields(schema: Schema, names: readonly string[]): KeyField[] {
  if (names.length === 0) {
    throw new LakeError('invalid-argument', 'An upsert needs at least one key column', {
      hint: 'Name the columns that identify a row.',
    });
  }
  return names.map((name) => {
    const field = requireField(schema, name);
    const { type } = field;
    if (schema.fields.includes(field) && isPrimitive(type) && !isApproximate(type)) return { ...field, type };
    throw new LakeError('invalid-argument', `The column "${name}" cannot be a key`, {
      hint: 'A key column stands at the top of the schema and is no list, map, struct, float or double.',
    });
  });
}

const isApproximate = (type: PrimitiveType): boolean => ['float', 'double'].includes(primitiveKind(type));

async function checkColumns(engine: DuckDbEngine, rows: string, fields: readonly KeyField[]): Promise<void> {
  const columns = (await engine.describe(`SELECT * FROM ${rows}`)).map((column) => column.name);
  const missing = fields.filter((field) => !columns.includes(field.name)).map((field) => field.name);
  if (missing.length === 0) return;
  throw new LakeError('invalid-argument', `The rows lack the key column ${missing.join(', ')}`, {
    hint: `They have ${columns.join(', ')}. Nothing was written.`,
  });
}

const columnList = (fields: readonly KeyField[]): string =>
  fields.map((field) => quoteName(field.name)).join(', ');

async function refuseNullKeys(
  engine: DuckDbEngine,
  keys: string,
  fields: readonly KeyField[],
): Promise<void> {
  const isNull = fields.map((field) => `${quoteName(field.name)} IS NULL`).join(' OR ');
  const [row] = await engine.all(`SELECT count(*) AS n FROM ${keys} WHERE ${isNull}`);
  const count = Number(row?.['n'] ?? 0);
  if (count === 0) return;
  throw new LakeError('invalid-argument', `${count} rows have no value for the key (${columnList(fields)})`, {
    hint: 'Null identifies no row: filter these rows out, or give them a key. Nothing was written.',
  });
}

async function refuseDuplicates(
  engine: DuckDbEngine,
  keys: string,
  fields: readonly KeyField[],
): Promise<void> {
  const columns = columnList(fields);
  const twice = await engine.all(
    `SELECT ${columns}, count(*) AS __lake_times FROM ${keys} GROUP BY ${columns} HAVING count(*) > 1 ORDER BY ALL LIMIT ${SHOWN + 1}`,
  );
  if (twice.length === 0) return;
  const shown = twice
    .slice(0, SHOWN)
    .map(({ __lake_times: times, ...key }) => `${JSON.stringify(key)} (${times} times)`);
  const more = twice.length > SHOWN ? ' and others' : '';
  throw new LakeError(
    'invalid-argument',
    `The rows have the same key more than once: ${shown.join(', ')}${more}`,
    {
      hint: 'Which of them is to stay cannot be told: keep one row a key. Nothing was written.',
    },
  );
}

async function keyFilter(
  engine: DuckDbEngine,
  keys: string,
  fields: readonly KeyField[],
): Promise<Expression> {
  const children: Expression[] = [];
  for (const field of fields) {
    const name = quoteName(field.name);
    const ranges = await engine.raw(
      `SELECT min(k) AS lower, max(k) AS upper FROM (SELECT k, ntile(${RANGES}) OVER (ORDER BY k) AS part FROM (SELECT DISTINCT ${name} AS k FROM ${keys})) GROUP BY part`,
    );
    children.push({ kind: 'or', children: ranges.map((range) => rangeOf(field, range)) });
  }
  return { kind: 'and', children };
}

function rangeOf({ name, type }: KeyField, { lower, upper }: RawRow): Expression {
  const [from, to] = [icebergValue(type, lower ?? null), icebergValue(type, upper ?? null)];
  if (from === null || to === null) return { kind: 'true' };
  if (String(from) === String(to)) return { kind: 'eq', column: name, literal: from };
  return {
    kind: 'and',
    children: [
      { kind: 'gtEq', column: name, literal: from },
      { kind: 'ltEq', column: name, literal: to },
    ],
  };
}
