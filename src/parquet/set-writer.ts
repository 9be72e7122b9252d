import type { Clock } from '../clock.ts';
import type { DuckDbEngine, RawRow } from '../engine/duckdb.ts';
import { icebergValue } from '../engine/iceberg-values.ts';
import { quoteName, quoteText } from '../engine/sql-text.ts';
import { LakeError } from '../errors.ts';
import type { DataFile } from '../iceberg/manifest.ts';
import { metricsMode } from '../iceberg/metrics.ts';
import { partitionPath, partitionType } from '../iceberg/partition-spec.ts';
import type { Value } from '../iceberg/types.ts';
import { inParallel } from '../in-parallel.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { WrittenFile } from './copy.ts';
import { fileMetrics } from './file-metrics.ts';
import { copyPartitions, PARTITION_NUMBER, PARTITIONS_A_COPY } from './partitioned-copy.ts';
import { castSelect, orderBy, partitionKeys, type SelectRequest } from './select-columns.ts';
import { copyToStore, removeWritten } from './store-copy.ts';
import { needsStreaming, writeStreamed } from './streamed-select.ts';
import { DEFAULT_TARGET_FILE_SIZE } from './target-file-size.ts';
import { fewTimePartitions, NULL_NUMBER } from './time-partitions.ts';

export { DEFAULT_TARGET_FILE_SIZE };

export interface WriteRequest extends SelectRequest {
  /** The table's location; files go to `<location>/data/<partition path>/`. */
  readonly location: string;
  readonly targetFileSizeBytes?: number;
  readonly objects: ObjectStore;
  readonly clock: Clock;
  /** Table properties, for `write.metadata.metrics.*`. */
  readonly properties?: Readonly<Record<string, string>>;
}

/** Writers at a time: COPY of one small partition keeps one core busy. */
const WRITERS = 2;

/** Rows up to which partitions are written together: beyond, the cost of a COPY of its own is small, and it rolls over by size. */
const SMALL_PARTITION_ROWS = 250_000;

/** Passes over rows in no order that are cheaper than bringing them into one. */
const MOST_SCANS = 16;

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
  return files.map((file) => ({ ...file, sortOrderId: request.sort?.['order-id'] ?? 0 }));
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
  const number = await fewTimePartitions(engine, request, select, PARTITIONS_A_COPY);
  if (number !== null) {
    const sql = `SELECT *, ${number} AS ${PARTITION_NUMBER} FROM (${select})`;
    await writeBatch(engine, request, { sql, partitionOf: (at) => timePartition(request, at) }, written);
    return;
  }
  const stage = `lake_stage_${engine.nextId()}`;
  const keys = partitionKeys(request).map((sql, i) => `${sql} AS ${KEY(i)}`);
  const isSorted = request.sort !== undefined;
  try {
    const order = isSorted ? orderBy(request, keyNames(request)) : '';
    await engine.run(`CREATE TABLE ${stage} AS SELECT *, ${keys.join(', ')} FROM (${select})${order}`);
    const groups = await stageGroups(engine, request, stage);
    const isSmall = (group: Group): boolean => !isSorted && group.rows <= SMALL_PARTITION_ROWS;
    const batches = batchesOf(groups.filter(isSmall));
    const single = groups.filter((group) => !isSmall(group));
    if (!isSorted && batches.length + single.length > MOST_SCANS) await clusterStage(engine, request, stage);
    for (const groupsOf of batches)
      await writeBatch(engine, request, groupBatch(request, stage, groupsOf), written);
    const columns = columnList(request);
    await inParallel(single, WRITERS, ({ partition, number, condition }) =>
      writePartition(
        engine,
        request,
        { sql: `SELECT ${columns} FROM ${stage} WHERE ${condition}`, partition, number },
        written,
      ),
    );
  } finally {
    await engine.run(`DROP TABLE IF EXISTS ${stage}; DROP TABLE IF EXISTS ${stage}_groups`);
  }
}

const keyNames = (request: WriteRequest): string[] => request.spec.fields.map((_, i) => KEY(i));

const columnList = ({ schema }: WriteRequest, from = ''): string =>
  schema.fields.map((field) => `${from}${quoteName(field.name)}`).join(', ');

/** Puts the rows of each partition side by side, so that reading one does not read them all. */
async function clusterStage(engine: DuckDbEngine, request: WriteRequest, stage: string): Promise<void> {
  const order = keyNames(request).join(', ');
  await engine.run(
    `CREATE TABLE ${stage}_clustered AS SELECT * FROM ${stage} ORDER BY ${order}; DROP TABLE ${stage}; ALTER TABLE ${stage}_clustered RENAME TO ${stage}`,
  );
}

/** A partition of the staged rows. */
interface Group {
  readonly number: number;
  readonly rows: number;
  readonly partition: readonly Value[];
  /** SQL that its rows alone meet. */
  readonly condition: string;
  /** Its first key as text, null for null. */
  readonly firstKey: string | null;
}

/** The partitions in the order of their keys, numbered; the table `<stage>_groups` keeps the numbers for the engine. */
async function stageGroups(engine: DuckDbEngine, request: WriteRequest, stage: string): Promise<Group[]> {
  const names = keyNames(request);
  const list = names.join(', ');
  await engine.run(
    `CREATE TABLE ${stage}_groups AS SELECT CAST(row_number() OVER (ORDER BY ${names.map((name) => `${name} NULLS LAST`).join(', ')}) - 1 AS INTEGER) AS number, * FROM (SELECT ${list}, count(*) AS row_count FROM ${stage} GROUP BY ${list})`,
  );
  const texts = names.map((key, i) => `CAST(${key} AS VARCHAR) AS text_${i}`);
  const rows = await engine.raw(`SELECT *, ${texts.join(', ')} FROM ${stage}_groups ORDER BY number`);
  return rows.map((row) => ({
    number: Number(row['number']),
    rows: Number(row['row_count']),
    partition: partitionTuple(request, row),
    condition: groupCondition(names, row),
    firstKey: typeof row['text_0'] === 'string' ? row['text_0'] : null,
  }));
}

function batchesOf(groups: readonly Group[]): Group[][] {
  const count = Math.ceil(groups.length / PARTITIONS_A_COPY);
  const size = Math.ceil(groups.length / count);
  return Array.from({ length: count }, (_, i) => groups.slice(i * size, (i + 1) * size));
}

/** Rows of several partitions, which carry the number of theirs. */
interface Batch {
  readonly sql: string;
  readonly partitionOf: (number: number) => readonly Value[];
}

function groupBatch(request: WriteRequest, stage: string, groups: readonly Group[]): Batch {
  const byNumber = new Map(groups.map((group) => [group.number, group]));
  return {
    sql: batchSql(request, stage, groups),
    partitionOf: (number) => {
      const group = byNumber.get(number);
      if (group === undefined) throw new LakeError('internal', `No partition has the number ${number}`);
      return group.partition;
    },
  };
}

function timePartition(request: WriteRequest, number: number): Value[] {
  return partitionTuple(request, { [KEY(0)]: number === NULL_NUMBER ? null : number });
}

/** Writes several partitions in one pass, and once more those of which a file exceeds the target. */
async function writeBatch(
  engine: DuckDbEngine,
  request: WriteRequest,
  { sql, partitionOf }: Batch,
  written: DataFile[],
): Promise<void> {
  const copy = {
    sql,
    fields: request.schema.fields,
    data: `${request.location}/data`,
    folderOf: (number: number) => partitionFolder(request, partitionOf(number)),
    targetFileSizeBytes: request.targetFileSizeBytes ?? DEFAULT_TARGET_FILE_SIZE,
    objects: request.objects,
    clock: request.clock,
  };
  await copyPartitions(engine, copy, {
    describe: async (number, file, location) => {
      checkRequired(file);
      written.push(await dataFile(engine, request, partitionOf(number), file, location));
    },
    split: (number, paths) => {
      const files = paths.map(quoteText).join(', ');
      const rows = `SELECT ${columnList(request)} FROM read_parquet([${files}], hive_partitioning = false)`;
      return writePartition(engine, request, { sql: rows, partition: partitionOf(number), number }, written);
    },
  });
}

function batchSql(request: WriteRequest, stage: string, batch: readonly Group[]): string {
  const numbers = batch.map(({ number }) => number).join(', ');
  const same = keyNames(request).map((key) => `s.${key} IS NOT DISTINCT FROM g.${key}`);
  const [first, last] = [batch[0]?.firstKey, batch.at(-1)?.firstKey];
  // Nulls come last. The range lets the engine skip what lies elsewhere: the join alone decides.
  const range =
    typeof first === 'string' && typeof last === 'string'
      ? ` WHERE s.${KEY(0)} BETWEEN ${quoteText(first)} AND ${quoteText(last)}`
      : '';
  return (
    `SELECT ${columnList(request, 's.')}, g.number AS ${PARTITION_NUMBER} FROM ${stage} AS s ` +
    `JOIN (SELECT * FROM ${stage}_groups WHERE number IN (${numbers})) AS g ON ${same.join(' AND ')}${range}`
  );
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

async function writePartition(
  engine: DuckDbEngine,
  request: WriteRequest,
  work: PartitionWork,
  written: DataFile[],
): Promise<void> {
  const copy = {
    sql: work.sql,
    fields: request.schema.fields,
    folder: partitionFolder(request, work.partition),
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

function partitionFolder({ spec, schema, location }: WriteRequest, partition: readonly Value[]): string {
  const below = partitionPath(spec, schema, partition);
  return `${location}/data${below === '' ? '' : `/${below}`}`;
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
    // 0 is unsorted; engines fail on a data file that says nothing (Trino's $entries).
    sortOrderId: request.sort?.['order-id'] ?? 0,
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
