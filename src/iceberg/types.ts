import { LakeError } from '../errors.ts';

/**
 * Iceberg's types as they stand in JSON (spec: "Schemas and Data Types", appendix C). In memory a type is
 * what its JSON is, so unknown fields of newer writers survive a round trip.
 */

/** A primitive type by its JSON name; `decimal(P, S)` and `fixed[L]` carry their parameters in the text. */
export type PrimitiveType = string;

export interface NestedField {
  readonly id: number;
  readonly name: string;
  readonly required: boolean;
  readonly type: Type;
  readonly doc?: string;
  readonly 'initial-default'?: unknown;
  readonly 'write-default'?: unknown;
}

export interface StructType {
  readonly type: 'struct';
  readonly fields: readonly NestedField[];
}

export interface ListType {
  readonly type: 'list';
  readonly 'element-id': number;
  readonly 'element-required': boolean;
  readonly element: Type;
}

export interface MapType {
  readonly type: 'map';
  readonly 'key-id': number;
  readonly key: Type;
  readonly 'value-id': number;
  readonly 'value-required': boolean;
  readonly value: Type;
}

export type Type = PrimitiveType | StructType | ListType | MapType;

/**
 * A single value in memory:
 * boolean -> boolean; int, float, double -> number; long -> bigint; date -> number (days since 1970-01-01);
 * time, timestamp, timestamptz -> bigint (microseconds); timestamp_ns, timestamptz_ns -> bigint (nanoseconds);
 * string -> string; uuid -> string (canonical, lower case); fixed, binary -> Uint8Array;
 * decimal(P,S) -> bigint (unscaled).
 */
export type PrimitiveValue = boolean | number | bigint | string | Uint8Array;

/** A value or null. */
export type Value = PrimitiveValue | null;

/** The primitive types without their parameters (spec: "Primitive Types"). */
export type PrimitiveKind = (typeof PRIMITIVE_KINDS)[number];

const PRIMITIVE_KINDS = [
  'unknown',
  'boolean',
  'int',
  'long',
  'float',
  'double',
  'decimal',
  'date',
  'time',
  'timestamp',
  'timestamptz',
  'timestamp_ns',
  'timestamptz_ns',
  'string',
  'uuid',
  'fixed',
  'binary',
  'variant',
  'geometry',
  'geography',
] as const;

const MAX_DECIMAL_PRECISION = 38;

export function isStruct(type: Type): type is StructType {
  return typeof type === 'object' && type.type === 'struct';
}

export function isList(type: Type): type is ListType {
  return typeof type === 'object' && type.type === 'list';
}

export function isMap(type: Type): type is MapType {
  return typeof type === 'object' && type.type === 'map';
}

export function isPrimitive(type: Type): type is PrimitiveType {
  return typeof type === 'string';
}

/** Precision and scale of `decimal(P, S)` (white space is optional, appendix C); null for other types. */
export function decimalParameters(type: Type): { precision: number; scale: number } | null {
  const match = typeof type === 'string' ? /^decimal\(\s*(\d+)\s*,\s*(-?\d+)\s*\)$/.exec(type) : null;
  return match ? { precision: Number(match[1]), scale: Number(match[2]) } : null;
}

/** The length in bytes of `fixed[L]`, an int of 32 bits; null for other types. */
export function fixedLength(type: Type): number | null {
  const match = typeof type === 'string' ? /^fixed\[\s*(\d+)\s*\]$/.exec(type) : null;
  const length = Number(match?.[1]);
  return length <= 0x7fffffff ? length : null;
}

/**
 * The kind of a primitive type, for dispatch.
 *
 * @throws LakeError('invalid-argument') if the text names no primitive type of the spec.
 */
export function primitiveKind(type: Type): PrimitiveKind {
  if (typeof type === 'string') {
    if (decimalParameters(type)) return 'decimal';
    if (fixedLength(type) !== null) return 'fixed';
    const plain = /^(geometry|geography)(\(.*\))?$/.exec(type)?.[1] ?? type;
    const kind = PRIMITIVE_KINDS.find((name) => name === plain);
    if (kind && kind !== 'decimal' && kind !== 'fixed') return kind;
  }
  throw new LakeError(
    'invalid-argument',
    `${describeType(type)} is not a primitive type of the Iceberg spec`,
    {
      hint: `the types are ${PRIMITIVE_KINDS.join(', ')}, with decimal(P, S) and fixed[L]`,
    },
  );
}

/**
 * Checks a type and everything nested in it against the spec.
 *
 * @throws LakeError('invalid-argument') naming the type at fault.
 */
export function validateType(type: Type): void {
  if (isStruct(type)) {
    for (const field of type.fields) validateType(field.type);
  } else if (isList(type)) {
    validateType(type.element);
  } else if (isMap(type)) {
    validateType(type.key);
    validateType(type.value);
  } else {
    primitiveKind(type);
    validateDecimal(type);
  }
}

/** A type in one line, for messages: `list<struct<a: int>>`. */
export function describeType(type: Type): string {
  if (isStruct(type))
    return `struct<${type.fields.map((f) => `${f.name}: ${describeType(f.type)}`).join(', ')}>`;
  if (isList(type)) return `list<${describeType(type.element)}>`;
  if (isMap(type)) return `map<${describeType(type.key)}, ${describeType(type.value)}>`;
  return typeof type === 'string' ? type : JSON.stringify(type);
}

function validateDecimal(type: PrimitiveType): void {
  const decimal = decimalParameters(type);
  if (!decimal || (decimal.precision >= 1 && decimal.precision <= MAX_DECIMAL_PRECISION)) return;
  throw new LakeError(
    'invalid-argument',
    `${type}: the precision of a decimal is 1 to ${MAX_DECIMAL_PRECISION}`,
  );
}
