import type { TrinoColumn } from '../engine/trino.ts';
import { LakeError } from '../errors.ts';
import type { PrimitiveType } from '../iceberg/types.ts';
import type { OutputColumn } from './column-types.ts';

const ICEBERG_TYPES: Readonly<Record<string, PrimitiveType>> = {
  boolean: 'boolean',
  tinyint: 'int',
  smallint: 'int',
  integer: 'int',
  bigint: 'long',
  real: 'float',
  double: 'double',
  varchar: 'string',
  char: 'string',
  varbinary: 'binary',
  date: 'date',
  uuid: 'uuid',
};

const TIMES: Readonly<Record<string, PrimitiveType>> = {
  time: 'time',
  timestamp: 'timestamp',
  'timestamp with time zone': 'timestamptz',
};

/**
 * The columns of Trino's answer with the Iceberg types that store them without loss.
 *
 * @param where the model's SQL file, for messages
 * @throws LakeError `unsupported` for nested types, times finer than microseconds and those without an Iceberg counterpart; `invalid-file` for a column without a name of its own
 */
export function trinoColumns(columns: readonly TrinoColumn[], where: string): OutputColumn[] {
  const names = new Set<string>();
  return columns.map(({ name, type }, i) => {
    if (name === `_col${i}` || names.has(name)) {
      throw new LakeError('invalid-file', `column ${i + 1} of the SQL has no name of its own`, {
        where,
        hint: 'write … AS name',
      });
    }
    names.add(name);
    return { name, type: icebergType(name, type, where) };
  });
}

function icebergType(column: string, type: string, where: string): PrimitiveType {
  const decimal = /^decimal\((\d+), ?(\d+)\)$/.exec(type);
  if (decimal !== null) return `decimal(${decimal[1]}, ${decimal[2]})`;
  const [, base = type, digits, zone = ''] = /^(\w+)(?:\((\d+)\))?( with time zone)?$/.exec(type) ?? [];
  const time = TIMES[base + zone];
  if (time !== undefined && Number(digits) <= 6) return time;
  const known = ICEBERG_TYPES[base + zone];
  if (known !== undefined) return known;
  throw new LakeError('unsupported', `models cannot store Trino's type ${type} of column "${column}"`, {
    where,
    hint: `cast it in the SQL, for example CAST(${column} AS varchar), or take it apart into columns`,
  });
}
