import { LakeError } from '../errors.ts';
import { stringifyJson } from './json.ts';
import { MAIN_BRANCH } from './refs.ts';
import type { TableMetadata } from './table-metadata.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

type Kind = 'integer' | 'snapshot id' | 'text' | 'list' | 'object' | 'type';
type Shape = Readonly<Record<string, Kind>>;

const IS: { readonly [K in Kind]: (value: unknown) => boolean } = {
  integer: (value) => Number.isSafeInteger(value),
  'snapshot id': (value) => typeof value === 'bigint',
  text: (value) => typeof value === 'string',
  list: Array.isArray,
  object: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  type: isType,
};

/** A type's outer form alone: names of primitive types, and nested ones of newer specs, may be unknown here. */
function isType(value: unknown): boolean {
  if (typeof value === 'string') return true;
  if (!IS.object(value)) return false;
  const { type, fields, element, key, value: of, ...ids } = value as JsonObject;
  if (type === 'struct') return Array.isArray(fields) && fields.every(isField);
  if (type === 'list') return IS.integer(ids['element-id']) && isType(element);
  if (type === 'map') return [ids['key-id'], ids['value-id']].every(IS.integer) && isType(key) && isType(of);
  return typeof type === 'string';
}

function isField(value: unknown): boolean {
  if (!IS.object(value)) return false;
  const { id, name, type } = value as JsonObject;
  return IS.integer(id) && IS.text(name) && isType(type);
}

const METADATA: Shape = {
  'format-version': 'integer',
  'table-uuid': 'text',
  location: 'text',
  'last-sequence-number': 'integer',
  'last-updated-ms': 'integer',
  'last-column-id': 'integer',
  'current-schema-id': 'integer',
  schemas: 'list',
  'default-spec-id': 'integer',
  'partition-specs': 'list',
  'last-partition-id': 'integer',
  properties: 'object',
  snapshots: 'list',
  'snapshot-log': 'list',
  'metadata-log': 'list',
  'sort-orders': 'list',
  'default-sort-order-id': 'integer',
  refs: 'object',
};

/** The elements of each list. */
const LISTS: Readonly<Record<string, Shape>> = {
  schemas: { type: 'text', 'schema-id': 'integer', fields: 'list' },
  'partition-specs': { 'spec-id': 'integer', fields: 'list' },
  'sort-orders': { 'order-id': 'integer', fields: 'list' },
  snapshots: {
    'snapshot-id': 'snapshot id',
    'sequence-number': 'integer',
    'timestamp-ms': 'integer',
    'manifest-list': 'text',
    summary: 'object',
  },
  'snapshot-log': { 'timestamp-ms': 'integer', 'snapshot-id': 'snapshot id' },
  'metadata-log': { 'timestamp-ms': 'integer', 'metadata-file': 'text' },
  statistics: { 'snapshot-id': 'snapshot id', 'statistics-path': 'text' },
  'partition-statistics': { 'snapshot-id': 'snapshot id', 'statistics-path': 'text' },
};

/** The elements of `fields` in each element of a list. */
const FIELDS: Readonly<Record<string, Shape>> = {
  schemas: { id: 'integer', name: 'text', type: 'type' },
  'partition-specs': { 'source-id': 'integer', 'field-id': 'integer', name: 'text', transform: 'text' },
  'sort-orders': { 'source-id': 'integer', transform: 'text', direction: 'text', 'null-order': 'text' },
};

const REF: Shape = { 'snapshot-id': 'snapshot id', type: 'text' };

/** By which key the elements of a list are told apart. */
const KEYS: Readonly<Record<string, string>> = {
  schemas: 'schema-id',
  'partition-specs': 'spec-id',
  'sort-orders': 'order-id',
  snapshots: 'snapshot-id',
};

/**
 * Checks that JSON with the defaults filled in is table metadata: fields and their types, ids once, and
 * nothing that names a schema, spec, sort order or snapshot that is not there. Columns are checked by
 * whoever reads them: a type of a newer spec must not make the whole table unreadable.
 *
 * @throws LakeError('corrupt') naming the field at fault.
 */
export function checkMetadata(json: JsonObject): TableMetadata {
  checkShape(json, METADATA, '');
  if (json['current-snapshot-id'] !== undefined)
    checkShape(json, { 'current-snapshot-id': 'snapshot id' }, '');
  if (json['format-version'] === 3) checkShape(json, { 'next-row-id': 'integer' }, '');
  for (const [name, shape] of Object.entries(LISTS)) checkList(json, name, shape);
  for (const [name, ref] of Object.entries(json['refs'] ?? {})) checkElement(ref, REF, `refs.${name}`);
  for (const [name, value] of Object.entries(json['properties'] ?? {})) {
    if (typeof value !== 'string') corrupt(`properties.${name} is ${describe(value)}, not text`);
  }
  const metadata = json as JsonObject & TableMetadata;
  checkReferences(metadata);
  return metadata;
}

function checkList(json: JsonObject, name: string, shape: Shape): void {
  const list = json[name];
  if (list === undefined) return;
  if (!Array.isArray(list)) corrupt(`${name} is ${describe(list)}, not a list`);
  const seen = new Set<unknown>();
  const key = KEYS[name];
  list.forEach((item: unknown, at) => {
    const element = checkElement(item, shape, `${name}[${at}]`);
    if (key === undefined) return;
    if (seen.has(element[key])) corrupt(`${name} has two elements with ${key} ${element[key]}`);
    seen.add(element[key]);
    checkFields(element, FIELDS[name], `${name}[${at}]`);
  });
}

function checkFields(element: JsonObject, shape: Shape | undefined, where: string): void {
  const fields = element['fields'];
  if (!shape || !Array.isArray(fields)) return;
  fields.forEach((field: unknown, at) => {
    // v3 fields of several columns carry source-ids instead (spec: appendix C).
    const several = IS.object(field) && Array.isArray((field as JsonObject)['source-ids']);
    const { 'source-id': source, ...rest } = shape;
    checkElement(field, several || source === undefined ? rest : shape, `${where}.fields[${at}]`);
  });
}

function checkElement(item: unknown, shape: Shape, where: string): JsonObject {
  if (!IS.object(item)) return corrupt(`${where} is ${describe(item)}, not an object`);
  const element = item as JsonObject;
  checkShape(element, shape, `${where}.`);
  return element;
}

function checkShape(json: JsonObject, shape: Shape, prefix: string): void {
  for (const [key, kind] of Object.entries(shape)) {
    const value = Object.hasOwn(json, key) ? json[key] : undefined;
    if (!IS[kind](value)) corrupt(`${prefix}${key} is ${describe(value)}; expected: ${kind}`);
  }
}

function checkReferences(metadata: TableMetadata): void {
  const named: readonly (readonly [string, number, readonly number[]])[] = [
    ['current-schema-id', metadata['current-schema-id'], metadata.schemas.map((item) => item['schema-id'])],
    [
      'default-spec-id',
      metadata['default-spec-id'],
      metadata['partition-specs'].map((item) => item['spec-id']),
    ],
    [
      'default-sort-order-id',
      metadata['default-sort-order-id'],
      metadata['sort-orders'].map((item) => item['order-id']),
    ],
  ];
  for (const [key, id, known] of named) {
    if (!known.includes(id)) corrupt(`${key} is ${id}, which the metadata does not hold`);
  }
  checkSnapshots(metadata);
}

function checkSnapshots(metadata: TableMetadata): void {
  const known = new Set(metadata.snapshots.map((snapshot) => snapshot['snapshot-id']));
  const current = metadata['current-snapshot-id'];
  if (current !== undefined && !known.has(current)) {
    corrupt(`current-snapshot-id is ${current}, which is not among the snapshots`);
  }
  for (const [name, ref] of Object.entries(metadata.refs)) {
    if (ref.type !== 'branch' && ref.type !== 'tag') corrupt(`refs.${name}.type is ${ref.type}`);
    if (!known.has(ref['snapshot-id'])) {
      corrupt(`refs.${name} is at ${ref['snapshot-id']}, which is not among the snapshots`);
    }
  }
  if (metadata.refs[MAIN_BRANCH]?.['snapshot-id'] !== current) {
    corrupt('refs.main and current-snapshot-id name different snapshots');
  }
  const last = metadata['last-sequence-number'];
  const above = metadata.snapshots.find((snapshot) => snapshot['sequence-number'] > last);
  if (above) {
    corrupt(`snapshot ${above['snapshot-id']} has a sequence number above last-sequence-number ${last}`);
  }
}

function describe(value: unknown): string {
  if (value === undefined) return 'missing';
  const text = stringifyJson(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/** @throws LakeError('corrupt') */
export function corrupt(problem: string): never {
  throw new LakeError('corrupt', `not valid table metadata: ${problem}`, {
    hint: 'read the previous metadata file of the table, or restore this one from its source',
  });
}
