import type { Clock } from '../clock.ts';
import type { DuckDbEngine, RawRow } from '../engine/duckdb.ts';
import { duckDbType } from '../engine/duckdb-types.ts';
import { icebergValue } from '../engine/iceberg-values.ts';
import { quoteName, quoteText } from '../engine/sql-text.ts';
import { transformSql } from '../engine/transform-sql.ts';
import { LakeError } from '../errors.ts';
import type { DataFile } from '../iceberg/manifest.ts';
import { metricsMode } from '../iceberg/metrics.ts';
import { nearestName } from '../iceberg/nearest-name.ts';
import { type PartitionSpec, partitionPath, partitionType } from '../iceberg/partition-spec.ts';
import type { Schema } from '../iceberg/schema.ts';
import type { SortOrder } from '../iceberg/sort-order.ts';
import { isPrimitive, isStruct, type NestedField, type PrimitiveType, type Value } from '../iceberg/types.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { WrittenFile } from './copy.ts';
import { fileMetrics } from './file-metrics.ts';
import { copyToStore, removeWritten } from './store-copy.ts';
import { needsStreaming, writeStreamed } from './streamed-select.ts';
import { DEFAULT_TARGET_FILE_SIZE } from './target-file-size.ts';

export { DEFAULT_TARGET_FILE_SIZE };

export interface WriteRequest {
  /** A query whose columns are those of the schema by name, in any order; optional ones may be left out. */
  readonly sql: string;
  readonly schema: Schema;
  readonly spec: PartitionSpec;
  /** The table's location; files go to `<location>/data/<partition path>/`. */
  readonly location: string;
  readonly targetFileSizeBytes?: number;
  readonly objects: ObjectStore;
  readonly clock: Clock;
  /** Rows of each file are sorted by it. */
  readonly sort?: SortOrder;
  /** Table properties, for `write.metadata.metrics.*`. */
  readonly properties?: Readonly<Record<string, string>>;
}

/** Writers at a time: COPY of one small partition keeps one core busy. */
const WRITERS = 2;

const KEY = (index: number): string => `__lake_key_${index}`;

/**
 * Writes a query's rows as partitioned Parquet files with field ids (nested too), zstd, and metrics. The query runs once; what does not fit into the engine's memory spills. Nothing
 * refers to the files yet when it returns; if it throws, they are gone again. Errors: `invalid-argument` for columns or values that do not fit the schema, `usage` for bad SQL, `unavailable`.
 */
export async function writeSelect(engine: DuckDbEngine, request: WriteRequest): Promise<DataFile[]> {
  const select = await castSelect(engine, request);
  if (needsStreaming(request.schema)) return streamRows(engine, request, select);
  const written: DataFile[] = [];
  try {
    if (request.spec.fields.length === 0) {
      await writePartition(
        engine,
        request,
        { sql: `SELECT * FROM (${select})${orderBy(request, [])}`, partition: [], number: 0 },
        written,
      );
    } else {
      await writePartitions(engine, request, select, written);
    }
    return written.sort((a, b) => (a.filePath < b.filePath ? -1 : 1));
  } catch (error) {
    await removeWritten(
      request.objects,
      written.map((file) => file.filePath),
    );
    throw error;
  }
}

async function streamRows(engine: DuckDbEngine, request: WriteRequest, select: string): Promise<DataFile[]> {
  const keys = partitionKeys(request);
  const files = await writeStreamed(engine, `SELECT * FROM (${select})${orderBy(request, keys)}`, request);
  return request.sort === undefined
    ? files
    : files.map((file) => ({ ...file, sortOrderId: request.sort?.['order-id'] ?? 0 }));
}

/** The values of the partition's fields as SQL over the schema's columns. */
function partitionKeys(request: WriteRequest): string[] {
  return request.spec.fields.map((field) => {
    if (field.transform === 'void') return 'CAST(NULL AS INTEGER)';
    const column = sourceColumn(request.schema, field['source-id']);
    return transformSql(field.transform, column.type, column.sql);
  });
}

/** The query with its columns cast to the schema's types, in the schema's order. */
async function castSelect(engine: DuckDbEngine, request: WriteRequest): Promise<string> {
  const columns = (await engine.describe(request.sql)).map((column) => column.name);
  const names = request.schema.fields.map((field) => field.name);
  for (const [i, column] of columns.entries()) {
    if (columns.indexOf(column) !== i)
      throw new LakeError('invalid-argument', `The query gives the column "${column}" twice`, {
        hint: 'Give one of them another name.',
      });
    if (names.includes(column)) continue;
    const near = nearestName(column, names);
    throw new LakeError(
      'invalid-argument',
      `The query gives a column "${column}", which the table does not have`,
      {
        hint: near === null ? `Its columns are ${names.join(', ')}.` : `Did you mean "${near}"?`,
      },
    );
  }
  const parts = request.schema.fields.map((field) => castColumn(field, columns));
  return `SELECT ${parts.join(', ')} FROM (${request.sql}) AS q`;
}

function castColumn(field: NestedField, columns: readonly string[]): string {
  const { type } = field;
  if (typeof type === 'string' && type.endsWith('_ns')) {
    throw new LakeError(
      'unsupported',
      `This version does not write the type ${type} of the column "${field.name}"`,
      { hint: 'Use timestamp or timestamptz.' },
    );
  }
  const name = quoteName(field.name);
  if (columns.includes(field.name)) return `CAST(q.${name} AS ${duckDbType(type)}) AS ${name}`;
  if (!field.required) return `CAST(NULL AS ${duckDbType(type)}) AS ${name}`;
  throw new LakeError('invalid-argument', `The query lacks the required column "${field.name}"`, {
    hint: `It gives ${columns.join(', ')}.`,
  });
}

function orderBy(request: WriteRequest, keys: readonly string[]): string {
  const fields = (request.sort?.fields ?? []).map((field) => {
    const column = sourceColumn(request.schema, field['source-id']);
    const direction = `${field.direction === 'asc' ? 'ASC' : 'DESC'} ${field['null-order'] === 'nulls-first' ? 'NULLS FIRST' : 'NULLS LAST'}`;
    return `${transformSql(field.transform, column.type, column.sql)} ${direction}`;
  });
  const all = [...keys, ...fields];
  return all.length === 0 ? '' : ` ORDER BY ${all.join(', ')}`;
}

interface SourceColumn {
  /** SQL of its value in a row of the schema's columns: null where a struct around it is. */
  readonly sql: string;
  readonly type: PrimitiveType;
}

/** A primitive column by id, at the top or in structs (spec: "Partitioning"). */
function sourceColumn(schema: Schema, id: number): SourceColumn {
  const found = findSource(schema.fields, id, (field) => quoteName(field.name));
  if (found) return found;
  throw new LakeError(
    'unsupported',
    `The partition spec or sort order names the field ${id}, which is no primitive column and in no struct of the table`,
    {
      hint: 'Rows cannot be partitioned or sorted by what is in a list or map, or dropped. Nothing was written.',
    },
  );
}

function findSource(
  fields: readonly NestedField[],
  id: number,
  sqlOf: (field: NestedField, at: number) => string,
): SourceColumn | null {
  for (const [i, field] of fields.entries()) {
    const sql = sqlOf(field, i);
    if (field.id === id && isPrimitive(field.type)) return { sql, type: field.type };
    if (!isStruct(field.type)) continue;
    const below = findSource(field.type.fields, id, (_, at) => `struct_extract_at(${sql}, ${at + 1})`);
    if (below) return below;
  }
  return null;
}

interface PartitionWork {
  readonly sql: string;
  readonly partition: readonly Value[];
  readonly number: number;
}

async function writePartitions(
  engine: DuckDbEngine,
  request: WriteRequest,
  select: string,
  written: DataFile[],
): Promise<void> {
  const stage = `lake_stage_${engine.nextId()}`;
  const keys = partitionKeys(request).map((sql, i) => `${sql} AS ${KEY(i)}`);
  const keyNames = keys.map((_, i) => KEY(i));
  try {
    await engine.run(
      `CREATE TABLE ${stage} AS SELECT *, ${keys.join(', ')} FROM (${select})${orderBy(request, keyNames)}`,
    );
    const texts = keyNames.map((key, i) => `CAST(${key} AS VARCHAR) AS text_${i}`);
    const groups = await engine.raw(
      `SELECT ${[...keyNames, ...texts].join(', ')} FROM ${stage} GROUP BY ${keyNames.join(', ')} ORDER BY ${keyNames.join(', ')}`,
    );
    const columns = request.schema.fields.map((field) => quoteName(field.name)).join(', ');
    const works = groups.map((group, number) => ({
      sql: `SELECT ${columns} FROM ${stage} WHERE ${groupCondition(keyNames, group)}`,
      partition: partitionTuple(request, group),
      number,
    }));
    await inParallel(works, WRITERS, (work) => writePartition(engine, request, work, written));
  } finally {
    await engine.run(`DROP TABLE IF EXISTS ${stage}`);
  }
}

function groupCondition(keys: readonly string[], group: RawRow): string {
  return keys
    .map((key, i) => {
      const text = group[`text_${i}`];
      return typeof text === 'string' ? `${key} = ${quoteText(text)}` : `${key} IS NULL`;
    })
    .join(' AND ');
}

function partitionTuple(request: WriteRequest, group: RawRow): Value[] {
  return partitionType(request.spec, request.schema).fields.map((field, i) =>
    icebergValue(typeof field.type === 'string' ? field.type : 'string', group[KEY(i)] ?? null),
  );
}

async function inParallel<T>(
  works: readonly T[],
  width: number,
  run: (work: T) => Promise<void>,
): Promise<void> {
  const queue = works.values();
  const failed: unknown[] = [];
  const worker = async (): Promise<void> => {
    for (const work of queue) {
      if (failed.length > 0) return;
      await run(work).catch((error: unknown) => failed.push(error));
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  if (failed.length > 0) throw failed[0];
}

async function writePartition(
  engine: DuckDbEngine,
  request: WriteRequest,
  work: PartitionWork,
  written: DataFile[],
): Promise<void> {
  const below = partitionPath(request.spec, request.schema, work.partition);
  const folder = `${request.location}/data${below === '' ? '' : `/${below}`}`;
  const copy = {
    sql: work.sql,
    fields: request.schema.fields,
    folder,
    name: `${String(work.number).padStart(5, '0')}-${request.clock.uuid()}`,
    targetFileSizeBytes: request.targetFileSizeBytes ?? DEFAULT_TARGET_FILE_SIZE,
    objects: request.objects,
  };
  const files = await copyToStore(engine, copy, (file, location) => {
    checkRequired(file);
    return dataFile(engine, request, work.partition, file, location);
  });
  written.push(...files);
}

async function dataFile(
  engine: DuckDbEngine,
  request: WriteRequest,
  partition: readonly Value[],
  file: WrittenFile,
  location: string,
): Promise<DataFile> {
  const metrics = await fileMetrics(engine, file, (column) => metricsMode(request.properties ?? {}, column));
  return {
    content: 'data',
    filePath: location,
    fileFormat: 'PARQUET',
    partition,
    recordCount: file.rows,
    fileSizeInBytes: file.size,
    ...metrics,
    ...(request.sort === undefined ? {} : { sortOrderId: request.sort['order-id'] }),
  };
}

function checkRequired(file: WrittenFile): void {
  for (const column of file.columns) {
    if (!column.field.required || column.repeated || column.nullCount === 0 || column.path.length > 1)
      continue;
    throw new LakeError(
      'invalid-argument',
      `The required column "${column.path.join('.')}" would hold ${column.nullCount} nulls`,
      {
        hint: 'Filter these rows out in the query, or make the column optional. Nothing was committed.',
      },
    );
  }
}
