import {
  Type as ArrowType,
  type Data,
  DataType,
  DateUnit,
  type Decimal,
  Precision,
  type Timestamp,
  TimeUnit,
  Vector,
} from 'apache-arrow';
import { LakeError } from '../errors.ts';
import { floorDiv } from '../iceberg/time-text.ts';
import { decimalParameters, describeType, type Type } from '../iceberg/types.ts';
import type { Cell } from './cell.ts';

/** Ticks a second by Arrow's unit. */
const TICKS: Readonly<Record<TimeUnit, bigint>> = {
  [TimeUnit.SECOND]: 1n,
  [TimeUnit.MILLISECOND]: 1_000n,
  [TimeUnit.MICROSECOND]: 1_000_000n,
  [TimeUnit.NANOSECOND]: 1_000_000_000n,
};

/**
 * A cell of an Arrow column as a value of an Iceberg type: the same value, or none. Errors: `invalid-argument` where the column's type holds other values (a zone more
 * or less, digits that the type has no room for).
 */
export function arrowCell(type: Type, data: Data, index: number): Cell {
  if (data.typeId === ArrowType.Null || !data.getValid(index)) return null;
  if (data.typeId === ArrowType.Dictionary) {
    const at = Number(data.values[index]);
    const { dictionary } = data;
    for (let chunk = 0, start = 0; dictionary && chunk < dictionary.data.length; chunk++) {
      const part = dictionary.data[chunk]!;
      if (at < start + part.length) return arrowCell(type, part, at - start);
      start += part.length;
    }
    return refuse(type, data);
  }
  return typeof type === 'string' ? primitiveCell(type, data, index) : nestedCell(type, data, index);
}

function nestedCell(type: Exclude<Type, string>, data: Data, index: number): Cell {
  if (type.type === 'struct') {
    if (data.typeId !== ArrowType.Struct) return refuse(type, data);
    return type.fields.map((field) => {
      const at = data.type.children.findIndex((child: { name: string }) => child.name === field.name);
      const child = data.children[at];
      return child ? arrowCell(field.type, child, index) : null;
    });
  }
  if (data.typeId !== (type.type === 'list' ? ArrowType.List : ArrowType.Map)) return refuse(type, data);
  const [start, end] = [Number(data.valueOffsets[index]), Number(data.valueOffsets[index + 1])];
  const child = data.children[0];
  if (!child) return refuse(type, data);
  const items = Array.from({ length: end - start }, (_, i) => start + i);
  if (type.type === 'list') return items.map((at) => arrowCell(type.element, child, at));
  const [keys, values] = child.children;
  if (!keys || !values) return refuse(type, data);
  return items.map((at) => [arrowCell(type.key, keys, at), arrowCell(type.value, values, at)]);
}

function primitiveCell(type: string, data: Data, index: number): Cell {
  const arrow = data.type;
  if (DataType.isTimestamp(arrow)) return timestamp(type, arrow, data, index);
  if (DataType.isTime(arrow)) {
    if (type !== 'time') return refuse(type, data);
    return scaled(BigInt(data.values[index]), TICKS[arrow.unit], TICKS[TimeUnit.MICROSECOND], type, data);
  }
  if (DataType.isDate(arrow)) {
    if (type !== 'date') return refuse(type, data);
    const raw = data.values[index];
    return arrow.unit === DateUnit.DAY ? Number(raw) : Number(floorDiv(BigInt(raw), 86_400_000n));
  }
  if (DataType.isDecimal(arrow)) return decimal(type, arrow, data, index);
  const value: unknown = new Vector([data]).get(index);
  if (DataType.isInt(arrow)) return integer(type, data, value);
  if (DataType.isBool(arrow))
    return type === 'boolean' && typeof value === 'boolean' ? value : refuse(type, data);
  if (DataType.isFloat(arrow)) {
    const fits = type === 'double' || (type === 'float' && arrow.precision !== Precision.DOUBLE);
    return fits && typeof value === 'number' ? value : refuse(type, data);
  }
  if (typeof value === 'string') return type === 'string' ? value : refuse(type, data);
  return bytes(type, data, value);
}

function integer(type: string, data: Data, value: unknown): Cell {
  if (typeof value !== 'number' && typeof value !== 'bigint') return refuse(type, data);
  if (type === 'long') return BigInt(value);
  if (type !== 'int' || BigInt.asIntN(32, BigInt(value)) !== BigInt(value)) return refuse(type, data);
  return Number(value);
}

function timestamp(type: string, arrow: Timestamp, data: Data, index: number): Cell {
  const zoned = Boolean(arrow.timezone);
  if (!type.startsWith('timestamp') || type.startsWith('timestamptz') !== zoned) return refuse(type, data);
  const unit = type.endsWith('_ns') ? TimeUnit.NANOSECOND : TimeUnit.MICROSECOND;
  return scaled(BigInt(data.values[index]), TICKS[arrow.unit], TICKS[unit], type, data);
}

/** The same instant in other ticks; refused where digits would be lost. */
function scaled(ticks: bigint, from: bigint, to: bigint, type: string, data: Data): bigint {
  if (to >= from) return ticks * (to / from);
  return ticks % (from / to) === 0n ? ticks / (from / to) : refuse(type, data);
}

function decimal(type: string, arrow: Decimal, data: Data, index: number): Cell {
  const parameters = decimalParameters(type);
  if (parameters === null || parameters.scale !== arrow.scale) return refuse(type, data);
  const words: ArrayLike<number> = data.values;
  const size = arrow.bitWidth / 32;
  let value = 0n;
  for (let word = size - 1; word >= 0; word--)
    value = (value << 32n) | BigInt((words[index * size + word] ?? 0) >>> 0);
  return BigInt.asIntN(arrow.bitWidth, value);
}

function bytes(type: string, data: Data, value: unknown): Cell {
  if (!(value instanceof Uint8Array)) return refuse(type, data);
  if (type === 'uuid' && value.length === 16)
    return Buffer.from(value)
      .toString('hex')
      .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  return type === 'binary' || type.startsWith('fixed') ? Uint8Array.from(value) : refuse(type, data);
}

function refuse(type: Type, data: Data): never {
  throw new LakeError(
    'invalid-argument',
    `A column of Arrow's type ${String(data.type)} does not hold values of type ${describeType(type)}`,
    {
      hint: 'Cast the column to the type of the table first.',
    },
  );
}
