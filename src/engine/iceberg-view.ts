import { LakeError } from '../errors.ts';
import type { DataFile } from '../iceberg/manifest.ts';
import {
  DELETE_FILE_PATH_ID,
  DELETE_FILE_POS_ID,
  POSITION_DELETE_FIELDS,
} from '../iceberg/position-delete.ts';
import { fieldsById } from '../iceberg/schema.ts';
import type { TableMetadata } from '../iceberg/table-metadata.ts';
import type { NestedField } from '../iceberg/types.ts';
import type { ScanTask, TableScan } from '../table/scan.ts';
import type { DuckDbEngine } from './duckdb.ts';
import { duckDbType } from './duckdb-types.ts';
import { checkNestedNames } from './nested-names.ts';
import { quoteName, quoteText } from './sql-text.ts';

const FILE = '__lake_file';

export interface ViewOptions {
  /** Where a location's bytes lie on the local disk. */
  readonly localPath?: (location: string) => string;
  /** Adds the columns `__lake_location` (the data file as its manifest names it) and `__lake_pos` (the row in it, from 0). */
  readonly positions?: boolean;
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
  await engine.run(`DROP VIEW IF EXISTS ${name}; DROP TABLE IF EXISTS ${pairsTable(name)}`);
  await engine.files.release(name);
}

const pairsTable = (name: string): string => quoteName(`lake deletes of ${name}`);

/** A file's columns by field id; they are named c<id> until the outermost projection, so that no user's name can clash. */
function readFiles(
  files: readonly DataFile[],
  fields: readonly NestedField[],
  local: (location: string) => string,
  rowNumbers: boolean,
): string {
  const columns = fields.map(
    (field) =>
      `${field.id}: {name: 'c${field.id}', type: ${quoteText(duckDbType(field.type))}, default_value: NULL}`,
  );
  const paths = files.map((file) => {
    if (file.fileFormat.toUpperCase() !== 'PARQUET') {
      throw new LakeError(
        'unsupported',
        `The embedded engine reads Parquet files only, not ${file.fileFormat}`,
        { where: file.filePath },
      );
    }
    return quoteText(local(file.filePath));
  });
  return (
    `read_parquet([${paths.join(', ')}], schema = MAP {${columns.join(', ')}}, filename = '${FILE}', ` +
    `file_row_number = ${rowNumbers}, hive_partitioning = false)`
  );
}

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
  checkNestedNames(scan.metadata, schema);
  const local = options.localPath ?? (await engine.files.stage(name, filePaths(tasks)));
  const withDeletes = tasks.filter((task) => task.deletes.length > 0);
  const plain = tasks.filter((task) => task.deletes.length === 0);
  const input: BranchInput = { scan, local, pairs: pairsTable(name), positions: options.positions ?? false };
  if (withDeletes.length > 0 || input.positions) await writePairs(engine, input, tasks);
  const branches = [
    ...(plain.length > 0 ? [plainBranch(input, plain)] : []),
    ...(withDeletes.length > 0 ? [deletedBranch(input, withDeletes)] : []),
  ];
  return branches.join('\nUNION ALL ');
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
  readonly local: (location: string) => string;
  readonly pairs: string;
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

function projection(input: BranchInput): string {
  const columns = input.scan.schema.fields.map((field) => `d.c${field.id} AS ${quoteName(field.name)}`);
  return [
    ...columns,
    ...(input.positions ? ['n.data_location AS __lake_location', 'd.file_row_number AS __lake_pos'] : []),
  ].join(', ');
}

const locations = (input: BranchInput): string =>
  input.positions ? ` JOIN ${input.pairs} AS n ON n.data_path = d.${FILE} AND n.delete_path IS NULL` : '';

function plainBranch(input: BranchInput, tasks: readonly ScanTask[]): string {
  const files = tasks.map((task) => task.dataFile);
  return `SELECT ${projection(input)} FROM ${readFiles(files, input.scan.schema.fields, input.local, input.positions)} AS d${locations(input)}`;
}

function deletedBranch(input: BranchInput, tasks: readonly ScanTask[]): string {
  const deletes = [
    ...new Map(
      tasks.flatMap((task) => task.deletes).map((found) => [found.dataFile.filePath, found.dataFile]),
    ).values(),
  ];
  const positions = deletes.filter((file) => file.content === 'position-deletes');
  const equality = Map.groupBy(
    deletes.filter((file) => file.content === 'equality-deletes'),
    (file) => (file.equalityIds ?? []).join(','),
  );
  const equalityFields = [...equality.values()].map((files) => ({
    files,
    fields: equalityColumns(input.scan.metadata, files[0]!),
  }));
  const shown = input.scan.schema.fields;
  const hidden = equalityFields
    .flatMap((group) => group.fields)
    .filter((field) => !shown.some((column) => column.id === field.id));
  const fields = [...shown, ...new Map(hidden.map((field) => [field.id, field])).values()];
  const joins = [
    ...(positions.length > 0 ? [positionJoin(input, positions)] : []),
    ...equalityFields.map((group, i) => equalityJoin(input, group.files, group.fields, `e${i}`)),
  ];
  const data = readFiles(
    tasks.map((task) => task.dataFile),
    fields,
    input.local,
    true,
  );
  return `SELECT ${projection(input)} FROM (SELECT d.* FROM ${data} AS d${joins.join('')}) AS d${locations(input)}`;
}

function positionJoin(input: BranchInput, files: readonly DataFile[]): string {
  return (
    ` ANTI JOIN (SELECT p.data_path, x.c${DELETE_FILE_POS_ID} AS pos FROM ${readFiles(files, POSITION_DELETE_FIELDS, input.local, false)} AS x` +
    ` JOIN ${input.pairs} AS p ON p.delete_path = x.${FILE} AND p.data_location = x.c${DELETE_FILE_PATH_ID}) AS pd` +
    ` ON pd.data_path = d.${FILE} AND pd.pos = d.file_row_number`
  );
}

function equalityJoin(
  input: BranchInput,
  files: readonly DataFile[],
  fields: readonly NestedField[],
  alias: string,
): string {
  const columns = fields.map((field) => `x.c${field.id}`);
  const same = fields.map((field) => `d.c${field.id} IS NOT DISTINCT FROM ${alias}.c${field.id}`);
  return (
    ` ANTI JOIN (SELECT ${['p.data_path', ...columns].join(', ')} FROM ${readFiles(files, fields, input.local, false)} AS x` +
    ` JOIN ${input.pairs} AS p ON p.delete_path = x.${FILE}) AS ${alias} ON ${[`${alias}.data_path = d.${FILE}`, ...same].join(' AND ')}`
  );
}

/** The columns of an equality delete, of whichever schema still knew them (the table may have dropped one since). */
function equalityColumns(metadata: TableMetadata, file: DataFile): NestedField[] {
  return (file.equalityIds ?? []).map((id) => {
    for (const schema of [...metadata.schemas].reverse()) {
      const top = schema.fields.find((field) => field.id === id);
      if (top) return top;
      if (fieldsById(schema).has(id)) break;
    }
    throw new LakeError(
      'unsupported',
      `An equality delete names the field ${id}, which is not a top-level column`,
      { where: file.filePath },
    );
  });
}
