import { LakeError } from '../errors.ts';
import type { DataFile } from '../iceberg/manifest.ts';
import { NAME_MAPPING_PROPERTY, parseNameMapping } from '../iceberg/name-mapping.ts';
import {
  DELETE_FILE_PATH_ID,
  DELETE_FILE_POS_ID,
  POSITION_DELETE_FIELDS,
} from '../iceberg/position-delete.ts';
import { isPrimitive, isStruct, type NestedField } from '../iceberg/types.ts';
import type { ScanTask, TableScan } from '../table/scan.ts';
import { isDeletionVector, writeVectors } from './deletion-vectors.ts';
import type { DuckDbEngine } from './duckdb.ts';
import { duckDbType } from './duckdb-types.ts';
import { FILE, type FileReading, rowsSql, type WantedColumn } from './file-rows.ts';
import { fileShapes } from './file-shape.ts';
import { partWishes } from './part-wishes.ts';
import { partitionConstants, writeConstants } from './partition-constants.ts';
import type { TableNeed } from './query-plan.ts';
import { quoteName, quoteText } from './sql-text.ts';

export interface ViewOptions {
  /** Where a location's bytes lie on the local disk. */
  readonly localPath?: (location: string) => string;
  /** Adds the columns `__lake_location` (the data file as its manifest names it) and `__lake_pos` (the row in it, from 0). */
  readonly positions?: boolean;
  /**
   * What is read of the view (see `queryNeeds`): rows that do not meet its filter may be missing, and another column of a row, if it is read all the same, is an error.
   * The scan may be planned with the same filter.
   */
  readonly need?: TableNeed;
}

/**
 * Makes (or remakes) a view of a planned scan: the columns of its schema, found in the files by field id, with position and equality deletes applied (spec: "Scan Planning", "Column Projection").
 * `name` is quoted SQL such as `viewName` gives. Errors: `unsupported` for types and files that the engine cannot read.
 */
export async function createTableView(
  engine: DuckDbEngine,
  name: string,
  scan: TableScan,
  options: ViewOptions = {},
): Promise<void> {
  const schema = /^("(?:[^"]|"")*"|\w+)\./.exec(name)?.[1];
  if (schema) await engine.run(`CREATE SCHEMA IF NOT EXISTS ${schema}`);
  await engine.run(`CREATE OR REPLACE VIEW ${name} AS ${await scanSql(engine, name, scan, options)}`);
}

/** Drops a view made by `createTableView`, and what belongs to it. */
export async function dropTableView(engine: DuckDbEngine, name: string): Promise<void> {
  await engine.run(
    `DROP VIEW IF EXISTS ${name}; DROP TABLE IF EXISTS ${pairsTable(name)}; ` +
      `DROP TABLE IF EXISTS ${constantsTable(name)}; DROP TABLE IF EXISTS ${vectorsTable(name)}`,
  );
  await engine.files.release(name);
}

const pairsTable = (name: string): string => quoteName(`lake deletes of ${name}`);
const constantsTable = (name: string): string => quoteName(`lake partitions of ${name}`);
const vectorsTable = (name: string): string => quoteName(`lake vectors of ${name}`);

async function scanSql(
  engine: DuckDbEngine,
  name: string,
  scan: TableScan,
  options: ViewOptions,
): Promise<string> {
  const { schema, tasks } = scan;
  if (tasks.length === 0) {
    const columns = schema.fields.map(
      (field) => `CAST(NULL AS ${duckDbType(field.type)}) AS ${quoteName(field.name)}`,
    );
    return `SELECT ${[...columns, ...(options.positions ? [`'' AS __lake_location`, '0::BIGINT AS __lake_pos'] : [])].join(', ')} WHERE false`;
  }
  const parquet = parquetFiles(tasks);
  const shown = schema.fields.filter((field) => options.need?.columns.has(field.id) ?? true);
  const wishes = options.need === undefined ? undefined : partWishes(scan, options.need, equalityColumns);
  const local = options.localPath ?? (await engine.files.stage(name, filePaths(tasks), wishes));
  const reading = await openReading(engine, name, { scan, read: readFields(scan, shown), parquet, local });
  const withDeletes = tasks.filter((task) => task.deletes.length > 0);
  const plain = tasks.filter((task) => task.deletes.length === 0);
  const input: BranchInput = {
    scan,
    shown,
    reading,
    local,
    pairs: pairsTable(name),
    vectors: vectorsTable(name),
    positions: options.positions ?? false,
  };
  if (withDeletes.length > 0 || input.positions) await writePairs(engine, input, tasks);
  if (hasVectors(withDeletes)) await writeVectors(engine, input.vectors, withDeletes, local);
  const branches = [
    ...(plain.length > 0 ? [plainBranch(input, plain)] : []),
    ...(withDeletes.length > 0 ? [deletedBranch(input, withDeletes)] : []),
  ];
  return `SELECT ${projection(input)} FROM (${branches.join('\nUNION ALL ')}) AS d`;
}

/** The table's columns that are shown, or are keys of equality deletes: of the others a file may lack any, as a part of it is enough. */
function readFields(scan: TableScan, shown: readonly NestedField[]): readonly NestedField[] {
  const keys = scan.tasks
    .flatMap((task) => task.deletes)
    .filter(({ dataFile }) => dataFile.content === 'equality-deletes')
    .flatMap(({ dataFile }) => equalityColumns(scan, dataFile).map((column) => column.field.id));
  const ids = new Set([...shown.map((field) => field.id), ...keys]);
  return scan.schema.fields.filter((field) => ids.has(field.id));
}

interface OpenedScan {
  readonly scan: TableScan;
  /** The columns of its schema that are read. */
  readonly read: readonly NestedField[];
  readonly parquet: readonly DataFile[];
  readonly local: (location: string) => string;
}

async function openReading(
  engine: DuckDbEngine,
  name: string,
  { scan, read, parquet, local }: OpenedScan,
): Promise<FileReading> {
  const { metadata, tasks } = scan;
  const names = metadata.properties[NAME_MAPPING_PROPERTY];
  const rules = {
    mapping: names === undefined ? undefined : parseNameMapping(names),
    defaults: metadata['format-version'] >= 3,
  };
  const shapeOf = await fileShapes(engine, parquet, local);
  const constants = partitionConstants(tasks, read, shapeOf, rules);
  const table = constantsTable(name);
  if (constants.size > 0) await writeConstants(engine, table, constants, read, local);
  return {
    shapeOf,
    local,
    rules,
    constants: (file) => new Set(constants.get(file.filePath)?.keys()),
    constantsTable: table,
  };
}

/** The Parquet files of a scan. Errors: `unsupported` for data and delete files of other formats. */
function parquetFiles(tasks: readonly ScanTask[]): DataFile[] {
  const files = new Map(
    tasks
      .flatMap((task) => [task.dataFile, ...task.deletes.map((found) => found.dataFile)])
      .filter((file) => !isDeletionVector(file))
      .map((file) => [file.filePath, file]),
  );
  for (const file of files.values()) {
    if (file.fileFormat.toUpperCase() === 'PARQUET') continue;
    throw new LakeError(
      'unsupported',
      `The embedded engine reads Parquet files only, not ${file.fileFormat}`,
      { where: file.filePath },
    );
  }
  return [...files.values()];
}

/** The data and delete files that a scan reads. */
function filePaths(tasks: readonly ScanTask[]): string[] {
  return tasks.flatMap((task) => [
    task.dataFile.filePath,
    ...task.deletes.map((found) => found.dataFile.filePath),
  ]);
}

interface BranchInput {
  readonly scan: TableScan;
  /** The columns that are read. */
  readonly shown: readonly NestedField[];
  readonly reading: FileReading;
  readonly local: (location: string) => string;
  readonly pairs: string;
  readonly vectors: string;
  readonly positions: boolean;
}

/** Which delete file applies to which data file, as the plan has it: sequence numbers and scopes are decided there, once. */
async function writePairs(
  engine: DuckDbEngine,
  input: BranchInput,
  tasks: readonly ScanTask[],
): Promise<void> {
  await engine.run(
    `CREATE OR REPLACE TABLE ${input.pairs} (data_path VARCHAR, data_location VARCHAR, delete_path VARCHAR)`,
  );
  const rows = tasks.flatMap((task) => {
    const location = task.dataFile.filePath;
    const data = `${quoteText(input.local(location))}, ${quoteText(location)}`;
    const pairs = task.deletes.map(
      (found) => `(${data}, ${quoteText(input.local(found.dataFile.filePath))})`,
    );
    return input.positions ? [`(${data}, NULL)`, ...pairs] : pairs;
  });
  for (let start = 0; start < rows.length; start += 5000) {
    await engine.run(`INSERT INTO ${input.pairs} VALUES ${rows.slice(start, start + 5000).join(', ')}`);
  }
}

/** The columns by their names, of the branches' rows. */
function projection(input: BranchInput): string {
  const shown = new Set(input.shown);
  const columns = input.scan.schema.fields.map(
    (field) => `${shown.has(field) ? `d.c${field.id}` : notReadSql(field)} AS ${quoteName(field.name)}`,
  );
  return [...columns, ...(input.positions ? ['d.__lake_location', 'd.__lake_pos'] : [])].join(', ');
}

/** What each branch gives. Where a query needs no column, such as to count, DuckDB reads the first one of a UNION: the file's path costs nothing. */
const branchColumns = (input: BranchInput): string =>
  [
    `d.${FILE}`,
    ...input.shown.map((field) => `d.c${field.id}`),
    ...(input.positions ? ['n.data_location AS __lake_location', 'd.file_row_number AS __lake_pos'] : []),
  ].join(', ');

/** Stands in the plan of whatever reads a column that was left out. */
export const LEFT_OUT_MARK = 'was left out of the plan and is read now';

/** A column that nothing is to read. If something does, it is an error: a made-up value would be a wrong answer. */
function notReadSql({ name, type }: NestedField): string {
  const message = quoteText(`internal: the column ${name} ${LEFT_OUT_MARK}, of `);
  return `CAST(CAST(CAST(${message} || d.${FILE} AS INTEGER) AS VARCHAR) AS ${duckDbType(type)})`;
}

const locations = (input: BranchInput): string =>
  input.positions ? ` JOIN ${input.pairs} AS n ON n.data_path = d.${FILE} AND n.delete_path IS NULL` : '';

const shownColumns = (fields: readonly NestedField[]): WantedColumn[] =>
  fields.map((field) => ({ alias: `c${field.id}`, field, unwrap: 0 }));

function plainBranch(input: BranchInput, tasks: readonly ScanTask[]): string {
  const files = tasks.map((task) => task.dataFile);
  const rows = rowsSql(input.reading, files, shownColumns(input.shown), input.positions);
  return `SELECT ${branchColumns(input)} FROM ${rows} AS d${locations(input)}`;
}

const hasVectors = (tasks: readonly ScanTask[]): boolean =>
  tasks.some((task) => task.deletes.some((found) => isDeletionVector(found.dataFile)));

function deletedBranch(input: BranchInput, tasks: readonly ScanTask[]): string {
  const deletes = [
    ...new Map(
      tasks.flatMap((task) => task.deletes).map((found) => [found.dataFile.filePath, found.dataFile]),
    ).values(),
  ];
  const positions = deletes.filter((file) => file.content === 'position-deletes' && !isDeletionVector(file));
  const equality = Map.groupBy(
    deletes.filter((file) => file.content === 'equality-deletes'),
    (file) => (file.equalityIds ?? []).join(','),
  );
  const keys = [...equality.values()].map((files) => ({
    files,
    columns: equalityColumns(input.scan, files[0]!),
  }));
  const hidden = new Map(keys.flatMap((key) => key.columns).map((column) => [column.alias, column]));
  const joins = [
    ...(hasVectors(tasks) ? [vectorJoin(input)] : []),
    ...(positions.length > 0 ? [positionJoin(input, positions)] : []),
    ...keys.map((key, i) => equalityJoin(input, key.files, key.columns, `e${i}`)),
  ];
  const data = rowsSql(
    input.reading,
    tasks.map((task) => task.dataFile),
    [...shownColumns(input.shown), ...hidden.values()],
    true,
  );
  return `SELECT ${branchColumns(input)} FROM (SELECT d.* FROM ${data} AS d${joins.join('')}) AS d${locations(input)}`;
}

const vectorJoin = (input: BranchInput): string =>
  ` ANTI JOIN ${input.vectors} AS dv ON dv.data_path = d.${FILE} AND dv.pos = d.file_row_number`;

/** A delete file without its columns would delete nothing, and rows would come back. Errors: `corrupt`. */
function checkDeleteFiles(input: BranchInput, files: readonly DataFile[]): void {
  for (const file of files) {
    const ids = input.reading.shapeOf(file).columns.map((column) => column.id);
    if (ids.includes(DELETE_FILE_PATH_ID) && ids.includes(DELETE_FILE_POS_ID)) continue;
    throw new LakeError('corrupt', 'A position delete file lacks the columns file_path and pos', {
      where: file.filePath,
      hint: 'It is damaged or another file lies in its place: restore it from a backup.',
    });
  }
}

function positionJoin(input: BranchInput, files: readonly DataFile[]): string {
  checkDeleteFiles(input, files);
  const rows = rowsSql(input.reading, files, shownColumns(POSITION_DELETE_FIELDS), false);
  return (
    ` ANTI JOIN (SELECT p.data_path, x.c${DELETE_FILE_POS_ID} AS pos FROM ${rows} AS x` +
    ` JOIN ${input.pairs} AS p ON p.delete_path = x.${FILE} AND p.data_location = x.c${DELETE_FILE_PATH_ID}) AS pd` +
    ` ON pd.data_path = d.${FILE} AND pd.pos = d.file_row_number`
  );
}

function equalityJoin(
  input: BranchInput,
  files: readonly DataFile[],
  columns: readonly WantedColumn[],
  alias: string,
): string {
  const values = columns.map((column) => `x.${column.alias}`);
  const same = columns.map((column) => `d.${column.alias} IS NOT DISTINCT FROM ${alias}.${column.alias}`);
  return (
    ` ANTI JOIN (SELECT ${['p.data_path', ...values].join(', ')} FROM ${rowsSql(input.reading, files, columns, false)} AS x` +
    ` JOIN ${input.pairs} AS p ON p.delete_path = x.${FILE}) AS ${alias} ON ${[`${alias}.data_path = d.${FILE}`, ...same].join(' AND ')}`
  );
}

/** The columns of an equality delete, of whichever schema still knew them (the table may have dropped one since). */
function equalityColumns({ metadata, schema }: TableScan, file: DataFile): WantedColumn[] {
  return (file.equalityIds ?? []).map((id) => {
    for (const known of [schema, ...[...metadata.schemas].reverse()]) {
      const found = fieldAlone(known.fields, id);
      if (found) return { alias: `q${id}`, ...found };
    }
    throw new LakeError(
      'unsupported',
      `An equality delete names the field ${id}, which is no column and in no struct of the table`,
      { where: file.filePath },
    );
  });
}

/** A primitive column by id; one in structs comes with these around it, each with this field alone. */
function fieldAlone(
  fields: readonly NestedField[],
  id: number,
): { readonly field: NestedField; readonly unwrap: number } | null {
  for (const field of fields) {
    if (field.id === id && isPrimitive(field.type)) return { field, unwrap: 0 };
    if (!isStruct(field.type)) continue;
    const below = fieldAlone(field.type.fields, id);
    if (below) {
      const type = { ...field.type, fields: [below.field] };
      return { field: { ...field, type }, unwrap: below.unwrap + 1 };
    }
  }
  return null;
}
