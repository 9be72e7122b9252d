import { LakeError } from '../errors.ts';
import { parseTransform } from '../iceberg/transforms.ts';
import type { PrimitiveType } from '../iceberg/types.ts';
import { bucketSql } from './bucket-function.ts';

const DAYS = (column: string): string => `datediff('day', DATE '1970-01-01', CAST(${column} AS DATE))`;

function truncateSql(width: number, type: PrimitiveType, column: string): string {
  if (type === 'string') return `substring(${column}, 1, ${width})`;
  if (type === 'binary') return `unhex(substring(hex(${column}), 1, ${2 * width}))`;
  const decimal = /^decimal\((\d+),\s*(\d+)\)$/.exec(type);
  const unit = decimal
    ? `CAST(${width} * CAST('1e-${decimal[2]}' AS DECIMAL(38, ${decimal[2]})) AS DECIMAL(38, ${decimal[2]}))`
    : String(width);
  const value = decimal ? `CAST(${column} AS DECIMAL(38, ${decimal[2]}))` : `CAST(${column} AS BIGINT)`;
  const truncated = `${value} - (((${value} % ${unit}) + ${unit}) % ${unit})`;
  return `CAST(${truncated} AS ${decimal ? `DECIMAL(${decimal[1]}, ${decimal[2]})` : type === 'int' ? 'INTEGER' : 'BIGINT'})`;
}

/**
 * A partition transform as SQL over a column expression (spec: "Partition Transforms"); its result has the DuckDB type of the
 * transform's Iceberg result type, with year, month, day and hour as the integers that the spec counts from 1970.
 * Errors: `unsupported` for transforms that this version does not know.
 */
export function transformSql(transformText: string, type: PrimitiveType, column: string): string {
  const transform = parseTransform(transformText);
  if (transform.kind === 'identity') return column;
  if (transform.kind === 'void') return 'CAST(NULL AS INTEGER)';
  if (transform.kind === 'bucket') return bucketSql(transform.numBuckets, type, column);
  if (transform.kind === 'truncate') return truncateSql(transform.width, type, column);
  if (transform.kind === 'day') return `CAST(${DAYS(column)} AS INTEGER)`;
  if (transform.kind === 'year') return `CAST(year(CAST(${column} AS DATE)) - 1970 AS INTEGER)`;
  if (transform.kind === 'month') {
    return `CAST((year(CAST(${column} AS DATE)) - 1970) * 12 + month(CAST(${column} AS DATE)) - 1 AS INTEGER)`;
  }
  if (transform.kind === 'hour') {
    return `CAST(${DAYS(column)} * 24 + hour(${type.startsWith('timestamptz') ? `timezone('UTC', ${column})` : column}) AS INTEGER)`;
  }
  throw new LakeError(
    'unsupported',
    `This version cannot write by the partition transform ${transformText}`,
    {
      hint: 'Write to this table with the engine that made it.',
    },
  );
}
