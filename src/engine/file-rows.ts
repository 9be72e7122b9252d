import { LakeError } from '../errors.ts';
import type { DataFile } from '../iceberg/manifest.ts';
import type { NestedField } from '../iceberg/types.ts';
import { isPrimitive } from '../iceberg/types.ts';
import { type FoundNode, nodesById, type ProjectionRules, projectionSql } from './column-projection.ts';
import { duckDbType } from './duckdb-types.ts';
import { type FileShape, shapeType } from './file-shape.ts';
import { quoteName, quoteText } from './sql-text.ts';
import { initialSql } from './value-sql.ts';

/** The column with the path that a file was opened by. */
export const FILE = '__lake_file';

export interface WantedColumn {
  readonly alias: string;
  /** A top-level column. */
  readonly field: NestedField;
  /** So many structs, each of one field, are unwrapped around the value wanted. */
  readonly unwrap: number;
}

export interface FileReading {
  readonly shapeOf: (file: DataFile) => FileShape;
  readonly local: (location: string) => string;
  readonly rules: Omit<ProjectionRules, 'where'>;
  /** The columns that a file lacks and its partition tells (see `partitionConstants`). */
  readonly constants: (file: DataFile) => ReadonlySet<number>;
  /** The table that holds them: `data_path`, and `p<field id>` for each. */
  readonly constantsTable: string;
}

/**
 * The rows of files as a relation in brackets: the wanted columns, found by field id (spec: "Column Projection"), `__lake_file`, and `file_row_number` if
 * asked for. Files of one schema are read together. Errors: `unsupported` for columns of other shapes or without ids.
 */
export function rowsSql(
  reading: FileReading,
  files: readonly DataFile[],
  columns: readonly WantedColumn[],
  rowNumbers: boolean,
): string {
  const constants = new Map<string, ReadonlySet<number>>();
  const groups = Map.groupBy(files, (file) => {
    const key = [...reading.constants(file)].join(',');
    constants.set(key, reading.constants(file));
    return key;
  });
  const parts = [...groups].flatMap(([key, same]) =>
    [...Map.groupBy(same, reading.shapeOf)].map(([shape, group]) =>
      groupSql(
        reading,
        { shape, files: group, constants: constants.get(key) ?? new Set() },
        columns,
        rowNumbers,
      ),
    ),
  );
  return `(${parts.join('\nUNION ALL ')})`;
}

interface FileGroup {
  readonly shape: FileShape;
  readonly files: readonly DataFile[];
  readonly constants: ReadonlySet<number>;
}

function groupSql(
  reading: FileReading,
  { shape, files, constants }: FileGroup,
  columns: readonly WantedColumn[],
  rowNumbers: boolean,
): string {
  const rules = { ...reading.rules, where: files[0]?.filePath ?? '' };
  const nodes = nodesById(shape.columns, rules.mapping, rules);
  const byId = shape.columns.some((node) => node.id !== null);
  const types = new Map<number, string>();
  const parts = columns.map(({ alias, field, unwrap }) => {
    const found = nodes.get(field.id);
    let sql = constants.has(field.id) ? `k.p${field.id}` : initialSql(field, rules.defaults);
    if (found) {
      const direct = byId && isDirect(found, field);
      types.set(field.id, direct ? duckDbType(field.type) : shapeType(found.node));
      const column = byId ? `r.r${field.id}` : `r.${quoteName(found.node.name)}`;
      sql = direct ? column : projectionSql(column, found, field.type, rules);
    }
    for (let i = 0; i < unwrap; i++) sql = `struct_extract_at(${sql}, 1)`;
    return `${sql} AS ${alias}`;
  });
  const numbers = rowNumbers ? ['r.file_row_number'] : [];
  const join = constants.size > 0 ? ` JOIN ${reading.constantsTable} AS k ON k.data_path = r.${FILE}` : '';
  if (!byId) checkNames(shape, rules);
  const source = readParquet(reading, files, byId ? types : new Map(), rowNumbers);
  return `SELECT ${[`r.${FILE}`, ...parts, ...numbers].join(', ')} FROM ${source} AS r${join}`;
}

/** True where the engine itself makes the wanted type of what it reads. */
const isDirect = ({ node }: FoundNode, field: NestedField): boolean =>
  isPrimitive(field.type) &&
  node.kind === 'primitive' &&
  (node.type !== 'BLOB' || duckDbType(field.type) === 'BLOB');

/** Columns are named r<id> here, so that no user's name can clash. */
function readParquet(
  reading: FileReading,
  files: readonly DataFile[],
  types: ReadonlyMap<number, string>,
  rowNumbers: boolean,
): string {
  const paths = files.map((file) => quoteText(reading.local(file.filePath)));
  const columns = [...types].map(
    ([id, type]) => `${id}: {name: 'r${id}', type: ${quoteText(type)}, default_value: NULL}`,
  );
  const schema = columns.length === 0 ? '' : `schema = MAP {${columns.join(', ')}}, `;
  return `read_parquet([${paths.join(', ')}], ${schema}filename = '${FILE}', file_row_number = ${rowNumbers}, hive_partitioning = false)`;
}

/** Columns without ids are asked for by name, and the engine does not tell letters' case apart. */
function checkNames(shape: FileShape, rules: ProjectionRules): void {
  const names = new Set<string>();
  for (const { name } of shape.columns) {
    if (!names.has(name.toLowerCase())) names.add(name.toLowerCase());
    else {
      throw new LakeError(
        'unsupported',
        `A file without field ids has two columns named "${name}", letters' case apart`,
        {
          where: rules.where,
          hint: 'Write its rows anew with another engine.',
        },
      );
    }
  }
}
