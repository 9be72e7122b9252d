import { LakeError } from '../errors.ts';
import type { PrimitiveType } from '../iceberg/types.ts';

/** A column that a model's SQL gives. */
export interface OutputColumn {
  readonly name: string;
  readonly type: PrimitiveType;
}

const ICEBERG_TYPES: Readonly<Record<string, PrimitiveType>> = {
  BOOLEAN: 'boolean',
  TINYINT: 'int',
  SMALLINT: 'int',
  INTEGER: 'int',
  UTINYINT: 'int',
  USMALLINT: 'int',
  UINTEGER: 'long',
  BIGINT: 'long',
  FLOAT: 'float',
  DOUBLE: 'double',
  // sum() of integers is a HUGEINT; a sum above 2^63 fails the cast on writing and is never cut off.
  HUGEINT: 'long',
  DATE: 'date',
  TIME: 'time',
  TIMESTAMP: 'timestamp',
  TIMESTAMP_S: 'timestamp',
  TIMESTAMP_MS: 'timestamp',
  'TIMESTAMP WITH TIME ZONE': 'timestamptz',
  TIMESTAMPTZ: 'timestamptz',
  VARCHAR: 'string',
  UUID: 'uuid',
  BLOB: 'binary',
};

/**
 * The Iceberg type that stores a DuckDB type without loss.
 *
 * @param where the model's SQL file, for messages
 * @throws LakeError `unsupported` for nested types and those without an Iceberg counterpart
 */
export function icebergTypeOf(column: string, duckDbType: string, where: string): PrimitiveType {
  const known = ICEBERG_TYPES[duckDbType];
  if (known !== undefined) return known;
  const decimal = /^DECIMAL\((\d+),\s*(\d+)\)$/.exec(duckDbType);
  if (decimal !== null) return `decimal(${decimal[1]}, ${decimal[2]})`;
  const hint =
    duckDbType === '"NULL"' || duckDbType === 'SQLNULL' || duckDbType === 'NULL'
      ? `give the null a type: CAST(NULL AS VARCHAR) AS ${column}`
      : `cast it in the SQL, for example CAST(${column} AS VARCHAR), or take it apart into columns`;
  throw new LakeError('unsupported', `models cannot store the type ${duckDbType} of column "${column}"`, {
    where,
    hint,
  });
}
