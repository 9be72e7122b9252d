import { isKind } from '../../src/errors.ts';
import { partitionType } from '../../src/iceberg/partition-spec.ts';
import { fieldsById, type Schema } from '../../src/iceberg/schema.ts';
import { type PrimitiveValue, primitiveKind, type Type, type Value } from '../../src/iceberg/types.ts';
import { decodeValue, valueToJson } from '../../src/iceberg/values.ts';
import type { ScannedData, ScannedFile } from './scan-files.ts';

/**
 * How bounds are written. The REST spec has values of the columns' types; Iceberg's Java library reads and writes their binary form
 * in hexadecimal, and fails on anything else.
 */
export type BoundsForm = 'typed' | 'binary';

/** Java's client says what it is. */
export function boundsFormOf(headers: Readonly<Record<string, unknown>>): BoundsForm {
  const version = headers['x-client-version'];
  return typeof version === 'string' && version.startsWith('Apache Iceberg') ? 'binary' : 'typed';
}

type Json = Readonly<Record<string, unknown>>;

/** REST spec: `DataFile`. `data-sequence-number` stands beside a row id, as Java's client reads it to derive when a row was last updated. */
export function dataFileJson(
  { sequenceNumber, ...scanned }: ScannedData,
  schema: Schema,
  form: BoundsForm,
): Json {
  const { file } = scanned;
  return {
    ...contentFileJson(scanned, schema),
    ...(file.firstRowId === undefined
      ? {}
      : { 'first-row-id': file.firstRowId, 'data-sequence-number': sequenceNumber }),
    ...counts('column-sizes', file.columnSizes),
    ...counts('value-counts', file.valueCounts),
    ...counts('null-value-counts', file.nullValueCounts),
    ...counts('nan-value-counts', file.nanValueCounts),
    ...bounds('lower-bounds', file.lowerBounds, schema, form),
    ...bounds('upper-bounds', file.upperBounds, schema, form),
  };
}

/** REST spec: `DeleteFile`; a deletion vector is a position delete that says where it lies in its Puffin file and which data file it is of. */
export function deleteFileJson(scanned: ScannedFile, schema: Schema): Json {
  const { file } = scanned;
  return {
    ...contentFileJson(scanned, schema),
    ...given('equality-ids', file.equalityIds),
    ...given('referenced-data-file', file.referencedDataFile),
    ...given('content-offset', file.contentOffset),
    ...given('content-size-in-bytes', file.contentSizeInBytes),
  };
}

function contentFileJson({ file, spec, writtenSchema }: ScannedFile, schema: Schema): Json {
  return {
    'spec-id': spec['spec-id'],
    content: file.content,
    'file-path': file.filePath,
    'file-format': file.fileFormat.toLowerCase(),
    partition: partitionTypes({ spec, writtenSchema }, schema).map((type, at) =>
      valueJson(type, file.partition[at] ?? null),
    ),
    'file-size-in-bytes': file.fileSizeInBytes,
    'record-count': file.recordCount,
    ...(file.keyMetadata === undefined ? {} : { 'key-metadata': hex(file.keyMetadata) }),
    ...given('split-offsets', file.splitOffsets),
    ...given('sort-order-id', file.sortOrderId),
  };
}

/** By the table's schema, as clients read them, columns may have been promoted since; those of dropped columns as they were written. */
function partitionTypes(
  { spec, writtenSchema }: Pick<ScannedFile, 'spec' | 'writtenSchema'>,
  schema: Schema,
): Type[] {
  const now = partitionType(spec, schema).fields;
  const then = partitionType(spec, writtenSchema).fields;
  return spec.fields.map((field, at) => {
    const stands = fieldsById(schema).has(field['source-id']);
    return (stands ? now : then)[at]?.type ?? 'string';
  });
}

function valueJson(type: Type, value: Value): unknown {
  if (value === null) return null;
  if (value instanceof Uint8Array) return hex(value);
  try {
    return valueToJson(type, value);
  } catch (error) {
    if (!isKind(error, 'invalid-argument', 'unsupported')) throw error;
    // NaN and infinities, for which JSON has no number, and values of a column that was dropped and whose type nobody knows.
    return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
  }
}

function counts(name: string, map: ReadonlyMap<number, number> | undefined): Json {
  return map === undefined ? {} : { [name]: { keys: [...map.keys()], values: [...map.values()] } };
}

function bounds(
  name: string,
  map: ReadonlyMap<number, Uint8Array> | undefined,
  schema: Schema,
  form: BoundsForm,
): Json {
  if (map === undefined) return {};
  const told = Array.from(map).flatMap(([id, bytes]): [number, unknown][] => {
    if (form === 'binary') return [[id, hex(bytes)]];
    const type = fieldsById(schema).get(id)?.type;
    const value = type === undefined ? null : boundValue(type, bytes);
    return type === undefined || value === null ? [] : [[id, valueJson(type, value)]];
  });
  return { [name]: { keys: told.map(([id]) => id), values: told.map(([, value]) => value) } };
}

/** Null for bytes that are no value of the type: a bound that cannot be read is none. */
function boundValue(type: Type, bytes: Uint8Array): PrimitiveValue | null {
  if (
    typeof type !== 'string' ||
    ['unknown', 'variant', 'geometry', 'geography'].includes(primitiveKind(type))
  ) {
    return null;
  }
  try {
    return decodeValue(type, bytes);
  } catch (error) {
    if (isKind(error, 'corrupt', 'unsupported')) return null;
    throw error;
  }
}

function given(name: string, value: unknown): Json {
  return value === undefined ? {} : { [name]: value };
}

/** Upper case, as the REST spec has binary values. */
function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex').toUpperCase();
}
