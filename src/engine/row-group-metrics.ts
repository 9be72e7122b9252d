import type { DataFile } from '../iceberg/manifest.ts';
import { decimalParameters, type NestedField, type PrimitiveKind, primitiveKind } from '../iceberg/types.ts';
import { numberOf } from '../parquet/parquet-assembly.ts';
import type { ThriftStruct, ThriftValue } from '../parquet/thrift-compact.ts';

/** Where things stand in Parquet's footer (parquet.thrift). */
const ELEMENT = { type: 1, converted: 6, scale: 7, logical: 10 } as const;
const CHUNK = { values: 5, statistics: 12 } as const;
const STATISTICS = { nulls: 3, max: 5, min: 6 } as const;
const LOGICAL = { string: 1, timestamp: 8, unit: 2, micros: 2 } as const;

const INT32 = 1;
const INT64 = 2;
const BYTE_ARRAY = 6;
const CONVERTED = { utf8: 0, decimal: 5, date: 6, timeMicros: 8, timestampMicros: 10 } as const;
const SIGNED_32 = [undefined, 15, 16, 17];
const SIGNED_64 = [undefined, 18];

/** A top-level primitive column of a Parquet file. */
export interface LeafColumn {
  readonly field: NestedField;
  readonly element: ThriftStruct;
}

/**
 * What a row group's statistics tell of some of its columns, in the form of a file's metrics. Only what is sure to be of the table's type counts as a bound.
 *
 * @param columns each with its chunk's ColumnMetaData
 */
export function rowGroupMetrics(
  columns: readonly (LeafColumn & { readonly chunk: ThriftStruct })[],
): Pick<DataFile, 'valueCounts' | 'nullValueCounts' | 'lowerBounds' | 'upperBounds'> {
  const metrics = {
    valueCounts: new Map<number, number>(),
    nullValueCounts: new Map<number, number>(),
    lowerBounds: new Map<number, Uint8Array>(),
    upperBounds: new Map<number, Uint8Array>(),
  };
  for (const { field, element, chunk } of columns) {
    const statistics = chunk.get(CHUNK.statistics)?.value;
    if (!(statistics instanceof Map)) continue;
    metrics.valueCounts.set(field.id, numberOf(chunk, CHUNK.values));
    if (statistics.has(STATISTICS.nulls))
      metrics.nullValueCounts.set(field.id, numberOf(statistics, STATISTICS.nulls));
    const [lower, upper] = [STATISTICS.min, STATISTICS.max].map((at) =>
      boundBytes(field, element, statistics.get(at)?.value),
    );
    if (lower) metrics.lowerBounds.set(field.id, lower);
    if (upper) metrics.upperBounds.set(field.id, upper);
  }
  return metrics;
}

/** A bound in Iceberg's binary form (spec: appendix D); undefined where the file's column is not surely of the type. */
function boundBytes(
  { type }: NestedField,
  element: ThriftStruct,
  value: ThriftValue | undefined,
): Uint8Array | undefined {
  if (!(value instanceof Uint8Array)) return undefined;
  const kind = primitiveKind(type);
  const decimal = decimalParameters(type);
  if (decimal) {
    if (optional(element, ELEMENT.converted) !== CONVERTED.decimal) return undefined;
    if (numberOf(element, ELEMENT.scale) !== decimal.scale) return undefined;
    // Integers are little-endian in Parquet, other decimals big-endian as Iceberg's.
    return [INT32, INT64].includes(numberOf(element, ELEMENT.type)) ? value.toReversed() : value;
  }
  return isStoredAs(kind, element) ? value : undefined;
}

function isStoredAs(kind: PrimitiveKind, element: ThriftStruct): boolean {
  const type = numberOf(element, ELEMENT.type);
  const converted = optional(element, ELEMENT.converted);
  switch (kind) {
    case 'int':
      return type === INT32 && SIGNED_32.includes(converted);
    case 'long':
      return type === INT64 && SIGNED_64.includes(converted);
    case 'float':
      return type === 4;
    case 'double':
      return type === 5;
    case 'date':
      return type === INT32 && converted === CONVERTED.date;
    case 'time':
      return type === INT64 && converted === CONVERTED.timeMicros;
    case 'timestamp':
    case 'timestamptz':
      return type === INT64 && (converted === CONVERTED.timestampMicros || isMicros(element));
    case 'string':
      return type === BYTE_ARRAY && (converted === CONVERTED.utf8 || isLogical(element, LOGICAL.string));
    default:
      return false;
  }
}

const optional = (struct: ThriftStruct, field: number): number | undefined =>
  struct.has(field) ? numberOf(struct, field) : undefined;

function isLogical(element: ThriftStruct, kind: number): boolean {
  const logical = element.get(ELEMENT.logical)?.value;
  return logical instanceof Map && logical.has(kind);
}

function isMicros(element: ThriftStruct): boolean {
  const logical = element.get(ELEMENT.logical)?.value;
  const timestamp = logical instanceof Map ? logical.get(LOGICAL.timestamp)?.value : undefined;
  const unit = timestamp instanceof Map ? timestamp.get(LOGICAL.unit)?.value : undefined;
  return unit instanceof Map && unit.has(LOGICAL.micros);
}
