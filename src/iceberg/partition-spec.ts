import { LakeError } from '../errors.ts';
import { columnName, fieldsById, parentFieldId, requireField, type Schema } from './schema.ts';
import {
  canTransform,
  formatTransformed,
  parseTransform,
  type Transform,
  transformResultType,
  transformText,
} from './transforms.ts';
import { describeType, isStruct, type NestedField, type StructType, type Type, type Value } from './types.ts';

/** A partition field: `transform` applied to the column `source-id` (spec: "Partitioning"). */
export interface PartitionField {
  readonly 'source-id': number;
  readonly 'field-id': number;
  readonly name: string;
  /** identity, void, year, month, day, hour, `bucket[N]`, `truncate[W]`, or one this version does not know. */
  readonly transform: string;
}

export interface PartitionSpec {
  readonly 'spec-id': number;
  readonly fields: readonly PartitionField[];
}

/** A partition field to be: a dotted column name, a transform's text, and a name if not the usual one. */
export interface PartitionFieldRequest {
  readonly source: string;
  readonly transform: string;
  readonly name?: string;
}

export const UNPARTITIONED: PartitionSpec = { 'spec-id': 0, fields: [] };

/** True for a spec without a field that is not void (spec: "Partitioning"): its one partition is the whole table. */
export const isUnpartitioned = (spec: PartitionSpec): boolean =>
  spec.fields.every((field) => field.transform === 'void');

/** Partition field ids start above this (spec: "Partition Evolution"). */
const BEFORE_FIRST_FIELD_ID = 999;

/** File names may have 255 bytes on most disks; the rest is room for what an engine adds. */
const MAX_FOLDER_LENGTH = 200;

/**
 * The struct of the spec's partition tuples: optional fields with the partition fields' ids. Where the source
 * column was dropped, a result that depends on its type is taken for a string.
 */
export function partitionType(spec: PartitionSpec, schema: StructType): StructType {
  const fields = spec.fields.map((field): NestedField => {
    const type = transformResultType(parseTransform(field.transform), sourceType(field, schema));
    return { id: field['field-id'], name: field.name, required: false, type };
  });
  return { type: 'struct', fields };
}

/**
 * A partition for people: `day=2001-01-05/x=a`. Dropped (void) fields are left out; empty if nothing is left.
 *
 * @param tuple values in the order of the spec's fields.
 */
export function partitionText(spec: PartitionSpec, schema: StructType, tuple: readonly Value[]): string {
  return namedValues(spec, schema, tuple)
    .map(([name, value]) => `${name}=${value}`)
    .join('/');
}

/**
 * A partition as folders of a data file's path: names and values URL-encoded as Java's URLEncoder does, and cut
 * where a file name would grow too long (a path carries no meaning in Iceberg, so that two partitions may share
 * a folder).
 */
export function partitionPath(spec: PartitionSpec, schema: StructType, tuple: readonly Value[]): string {
  return namedValues(spec, schema, tuple)
    .map(([name, value]) => cutFolder(`${encodeUrlForm(name)}=${encodeUrlForm(value)}`))
    .join('/');
}

/**
 * The partition tuple as an exact key for maps. Integers are the same key before and after their column is
 * promoted from int to long; -0 and 0 differ.
 */
export function partitionKey(tuple: readonly Value[]): string {
  return JSON.stringify(tuple.map(keyPart));
}

/**
 * Makes a partition spec, naming fields as Iceberg does: a column's own name for identity, else `ts_day`,
 * `x_bucket`, `x_trunc`, `x_null`.
 *
 * @throws LakeError('not-found') for unknown columns, LakeError('invalid-argument') as `validateSpec`.
 */
export function buildPartitionSpec(
  schema: Schema,
  requests: readonly PartitionFieldRequest[],
  specId = 0,
  lastPartitionId = BEFORE_FIRST_FIELD_ID,
): PartitionSpec {
  const fields = requests.map((request, at): PartitionField => {
    const source = requireField(schema, request.source);
    const transform = parseTransform(request.transform);
    return {
      'source-id': source.id,
      'field-id': lastPartitionId + 1 + at,
      name: request.name ?? defaultName(columnName(schema, source.id), transform),
      transform: transformText(transform),
    };
  });
  const spec = { 'spec-id': specId, fields };
  validateSpec(spec, schema);
  return spec;
}

/**
 * Checks that data can be written with the spec: known transforms that take their columns, which are not in
 * lists or maps; names and ids once; no two fields that say the same.
 *
 * @throws LakeError('invalid-argument') naming the field at fault.
 */
export function validateSpec(spec: PartitionSpec, schema: Schema): void {
  const names = new Set<string>();
  const ids = new Set<number>();
  const meanings = new Set<string>();
  for (const field of spec.fields) {
    const transform = parseTransform(field.transform);
    checkSource(field, transform, schema);
    checkName(field, transform, schema);
    if (names.has(field.name)) refuse(field, 'its name is taken by another field');
    if (ids.has(field['field-id'])) refuse(field, `its id ${field['field-id']} is taken by another field`);
    const meaning = `${field['source-id']} ${meaningOf(transform)}`;
    if (transform.kind !== 'void' && meanings.has(meaning)) {
      refuse(field, 'another field partitions the column in the same way; keep one of them');
    }
    names.add(field.name);
    ids.add(field['field-id']);
    meanings.add(meaning);
  }
}

function checkSource(field: PartitionField, transform: Transform, schema: Schema): void {
  if (transform.kind === 'void') return;
  if (transform.kind === 'unknown') refuse(field, `the transform ${transform.text} is not known`);
  const source = fieldsById(schema).get(field['source-id']);
  if (!source) refuse(field, `the schema has no column with id ${field['source-id']}`);
  if (!canTransform(transform, source.type)) {
    refuse(field, `${field.transform} does not take ${describeType(source.type)}`);
  }
  const around = parentFieldId(schema, source.id);
  for (let id = around; id !== null; id = parentFieldId(schema, id)) {
    const parent = fieldsById(schema).get(id);
    if (parent && !isStruct(parent.type)) refuse(field, 'its column is in a list or map');
  }
}

/** A partition may have a column's name only if its values are that column's. */
function checkName(field: PartitionField, transform: Transform, schema: Schema): void {
  if (field.name === '') refuse(field, 'it has no name');
  const column = schema.fields.find(({ name }) => name === field.name);
  if (!column || transform.kind === 'void') return;
  if (transform.kind !== 'identity' || column.id !== field['source-id']) {
    refuse(field, 'a column has the same name; give the partition field another');
  }
}

/** Year, month, day and hour of one column are refinements of each other: one of them is enough. */
function meaningOf(transform: Transform): string {
  return ['year', 'month', 'day', 'hour'].includes(transform.kind) ? 'time' : transformText(transform);
}

function defaultName(column: string, transform: Transform): string {
  switch (transform.kind) {
    case 'identity':
      return column;
    case 'truncate':
      return `${column}_trunc`;
    case 'void':
      return `${column}_null`;
    default:
      return `${column}_${transform.kind}`;
  }
}

function namedValues(spec: PartitionSpec, schema: StructType, tuple: readonly Value[]): [string, string][] {
  return spec.fields.flatMap((field, at): [string, string][] => {
    const transform = parseTransform(field.transform);
    if (transform.kind === 'void') return [];
    return [[field.name, formatTransformed(transform, sourceType(field, schema), tuple[at] ?? null)]];
  });
}

function sourceType(field: PartitionField, schema: StructType): Type {
  return fieldsById(schema).get(field['source-id'])?.type ?? 'string';
}

/** application/x-www-form-urlencoded as Java's URLEncoder writes it: only letters, digits and `.-*_` stay. */
function encodeUrlForm(text: string): string {
  return encodeURIComponent(text.toWellFormed())
    .replaceAll('%20', '+')
    .replace(/[!'()~]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

function cutFolder(name: string): string {
  return name.length <= MAX_FOLDER_LENGTH ? name : name.slice(0, MAX_FOLDER_LENGTH).replace(/%.?$/, '');
}

function keyPart(value: Value): string {
  if (value === null) return 'null';
  if (value instanceof Uint8Array) return `b${Buffer.from(value).toString('hex')}`;
  if (typeof value === 'string') return `s${value}`;
  return Object.is(value, -0) ? '-0' : String(value);
}

function refuse(field: PartitionField, reason: string): never {
  throw new LakeError(
    'invalid-argument',
    `invalid partition field ${field.name || field['field-id']}: ${reason}`,
    {
      hint: 'nothing was changed',
    },
  );
}
