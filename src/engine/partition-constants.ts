import type { DataFile } from '../iceberg/manifest.ts';
import { isPrimitive, type NestedField, type Type, type Value } from '../iceberg/types.ts';
import type { ScanTask } from '../table/scan.ts';
import { nodesById, type ProjectionRules } from './column-projection.ts';
import type { DuckDbEngine } from './duckdb.ts';
import { duckDbType } from './duckdb-types.ts';
import type { FileShape } from './file-shape.ts';
import { quoteText } from './sql-text.ts';
import { valueSql } from './value-sql.ts';

/** What the partitions of files tell of columns that the files lack: values by field id, by the file's location. */
export type PartitionConstants = ReadonlyMap<string, ReadonlyMap<number, Value>>;

/**
 * Finds columns that a file does not hold and that its partition has by an identity transform (spec: "Column Projection", the first rule; such files come from
 * Hive, whose partition columns are folders).
 */
export function partitionConstants(
  tasks: readonly ScanTask[],
  columns: readonly NestedField[],
  shapeOf: (file: DataFile) => FileShape,
  rules: Omit<ProjectionRules, 'where'>,
): PartitionConstants {
  const wanted = new Set(columns.map((column) => column.id));
  const constants = new Map<string, ReadonlyMap<number, Value>>();
  for (const { dataFile, spec } of tasks) {
    const sources = spec.fields.flatMap((field, at) => {
      const value = dataFile.partition[at];
      const isSource = field.transform === 'identity' && wanted.has(field['source-id']);
      return isSource && value !== undefined ? [[field['source-id'], value] as const] : [];
    });
    if (sources.length === 0) continue;
    const nodes = nodesById(shapeOf(dataFile).columns, rules.mapping, { ...rules, where: dataFile.filePath });
    const missing = sources.filter(([id]) => !nodes.has(id));
    if (missing.length > 0) constants.set(dataFile.filePath, new Map(missing));
  }
  return constants;
}

const ROWS_A_STATEMENT = 1000;

/** Makes the table of the constants that `rowsSql` joins. */
export async function writeConstants(
  engine: DuckDbEngine,
  table: string,
  constants: PartitionConstants,
  columns: readonly NestedField[],
  local: (location: string) => string,
): Promise<void> {
  const used = new Set([...constants.values()].flatMap((values) => [...values.keys()]));
  const fields = columns.filter((column) => used.has(column.id) && isPrimitive(column.type));
  const names = fields.map((field) => `p${field.id} ${duckDbType(field.type)}`);
  await engine.run(`CREATE OR REPLACE TABLE ${table} (${['data_path VARCHAR', ...names].join(', ')})`);
  const rows = [...constants].map(([location, values]) => {
    const cells = fields.map((field) =>
      valueSql(field.type, promoted(field.type, values.get(field.id) ?? null)),
    );
    return `(${[quoteText(local(location)), ...cells].join(', ')})`;
  });
  for (let start = 0; start < rows.length; start += ROWS_A_STATEMENT) {
    await engine.run(`INSERT INTO ${table} VALUES ${rows.slice(start, start + ROWS_A_STATEMENT).join(', ')}`);
  }
}

const MICROSECONDS_A_DAY = 86_400_000_000n;

/** A partition value of the type that the column had when it was written. */
function promoted(type: Type, value: Value): Value {
  if (typeof value !== 'number') return value;
  if (type === 'long') return BigInt(value);
  if (type === 'timestamp') return BigInt(value) * MICROSECONDS_A_DAY;
  return value;
}
