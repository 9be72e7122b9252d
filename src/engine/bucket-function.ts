import {
  BIGINT,
  BLOB,
  type DuckDBConnection,
  DuckDBScalarFunction,
  type DuckDBType,
  INTEGER,
  VARCHAR,
} from '@duckdb/node-api';
import { applyTransform } from '../iceberg/transforms.ts';
import type { PrimitiveType } from '../iceberg/types.ts';
import { parseValue } from '../iceberg/values.ts';
import { icebergValue } from './iceberg-values.ts';

/** The SQL expression of `bucket[numBuckets]` over a column expression of an Iceberg type (spec: appendix B). */
export function bucketSql(numBuckets: number, type: PrimitiveType, column: string): string {
  if (type === 'string' || type === 'uuid' || type.startsWith('decimal')) {
    return `lake_bucket_text(${numBuckets}, '${type}', CAST(${column} AS VARCHAR))`;
  }
  if (type === 'binary' || type.startsWith('fixed')) return `lake_bucket_bytes(${numBuckets}, ${column})`;
  if (type === 'date')
    return `lake_bucket_long(${numBuckets}, datediff('day', DATE '1970-01-01', ${column}))`;
  if (type === 'time') return `lake_bucket_long(${numBuckets}, epoch_us(${column}))`;
  if (type.startsWith('timestamp')) return `lake_bucket_long(${numBuckets}, epoch_us(${column}))`;
  return `lake_bucket_long(${numBuckets}, CAST(${column} AS BIGINT))`;
}

function install(
  connection: DuckDBConnection,
  name: string,
  types: readonly DuckDBType[],
  typeOf: (row: (i: number) => unknown) => PrimitiveType,
): void {
  connection.registerScalarFunction(
    DuckDBScalarFunction.create({
      name,
      parameterTypes: types,
      returnType: INTEGER,
      specialHandling: true,
      mainFunction: (_info, input, output) => {
        const columns = types.map((_, i) => input.getColumnVector(i));
        for (let row = 0; row < input.rowCount; row++) {
          const type = typeOf((i) => columns[i]?.getItem(row));
          const raw = columns.at(-1)?.getItem(row) ?? null;
          const numBuckets = Number(columns[0]?.getItem(row));
          const value =
            typeof raw === 'string' && type !== 'string' ? parseValue(type, raw) : icebergValue(type, raw);
          const bucket = value === null ? null : applyTransform({ kind: 'bucket', numBuckets }, type, value);
          output.setItem(row, typeof bucket === 'number' ? bucket : null);
        }
        output.flush();
      },
    }),
  );
}

/** Registers the bucket transform, which SQL alone cannot express, as functions of the engine. */
export function installBucketFunctions(connection: DuckDBConnection): void {
  install(connection, 'lake_bucket_long', [INTEGER, BIGINT], () => 'long');
  install(connection, 'lake_bucket_bytes', [INTEGER, BLOB], () => 'binary');
  install(connection, 'lake_bucket_text', [INTEGER, VARCHAR, VARCHAR], (item) => String(item(1)));
}
