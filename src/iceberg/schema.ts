import { LakeError } from '../errors.ts';
import { nearestName } from './nearest-name.ts';
import {
  isList,
  isMap,
  isPrimitive,
  isStruct,
  type NestedField,
  primitiveKind,
  type StructType,
  type Type,
  validateType,
} from './types.ts';

export { nearestName };

/** A table schema (spec: "Schemas and Data Types"). */
export interface Schema extends StructType {
  readonly 'schema-id': number;
  readonly 'identifier-field-ids'?: readonly number[];
}

/** Ids above this are the spec's reserved metadata columns. */
const MAX_FIELD_ID = 2147483447;

/** A field with its place in the schema. */
interface IndexedField {
  readonly field: NestedField;
  /** Dotted, with `element`, `key` and `value` for what is in lists and maps. */
  readonly path: string;
  /** Id of the field around it; null at the top. */
  readonly parentId: number | null;
}

/** Schemas are immutable, so that their index is made once. */
const indexes = new WeakMap<StructType, readonly IndexedField[]>();
const byIdIndexes = new WeakMap<StructType, ReadonlyMap<number, NestedField>>();

/**
 * Every field of the schema by id, nested ones included; a list's element and a map's key and value are
 * pseudo fields named `element`, `key` and `value`.
 */
export function fieldsById(schema: StructType): ReadonlyMap<number, NestedField> {
  let fields = byIdIndexes.get(schema);
  if (!fields) {
    fields = new Map(indexFields(schema).map(({ field }) => [field.id, field]));
    byIdIndexes.set(schema, fields);
  }
  return fields;
}

/**
 * The dotted name of a field, such as `address.city` or `tags.element`.
 *
 * @throws LakeError('not-found') if the schema has no such id.
 */
export function columnName(schema: StructType, id: number): string {
  const found = indexFields(schema).find(({ field }) => field.id === id);
  if (!found) throw new LakeError('not-found', `the schema has no field with id ${id}`);
  return found.path;
}

/** The id of the field around `id`, null for a column at the top or an id that is not in the schema. */
export function parentFieldId(schema: StructType, id: number): number | null {
  return indexFields(schema).find(({ field }) => field.id === id)?.parentId ?? null;
}

/**
 * The field with this dotted name, or null.
 *
 * @throws LakeError('invalid-argument') if the name is ambiguous once case is ignored.
 */
export function findField(
  schema: StructType,
  dottedName: string,
  options: { readonly caseSensitive?: boolean } = {},
): NestedField | null {
  const fields = indexFields(schema);
  const exact = fields.find(({ path }) => path === dottedName);
  if (exact || (options.caseSensitive ?? true)) return exact?.field ?? null;
  const lower = dottedName.toLowerCase();
  const matches = fields.filter(({ path }) => path.toLowerCase() === lower);
  if (matches.length > 1) {
    const names = matches.map(({ path }) => path).join(', ');
    throw new LakeError('invalid-argument', `column ${dottedName} is ambiguous: ${names}`, {
      hint: 'write the name in the case of the schema',
    });
  }
  return matches[0]?.field ?? null;
}

/**
 * As `findField`, for callers that cannot go on without the column.
 *
 * @throws LakeError('not-found') with the nearest name.
 */
export function requireField(schema: StructType, dottedName: string): NestedField {
  const field = findField(schema, dottedName, { caseSensitive: false });
  if (field) return field;
  const names = indexFields(schema).map(({ path }) => path);
  const nearest = nearestName(dottedName, names);
  const hint = nearest ? `did you mean ${nearest}?` : `the columns are ${names.join(', ')}`;
  throw new LakeError('not-found', `there is no column ${dottedName}`, { hint });
}

/** The highest field id in the type, nested ones included; 0 if it has no fields. */
export function highestFieldId(type: Type): number {
  return childFields(type).reduce((max, field) => Math.max(max, field.id, highestFieldId(field.type)), 0);
}

/**
 * Renumbers every field from `nextId` on, in the order Java numbers the columns of a new table: all fields
 * of a struct first, then what is nested in them. Identifier fields follow.
 */
export function assignFreshIds(schema: Schema, nextId = 1): { schema: Schema; lastColumnId: number } {
  const newIds = new Map<number, number>();
  let next = nextId;
  const fresh = renumberType(schema, (oldId) => {
    newIds.set(oldId, next);
    return next++;
  });
  const identifiers = schema['identifier-field-ids']?.map((id) => newIds.get(id) ?? id);
  const renumbered = { ...schema, ...(isStruct(fresh) ? { fields: fresh.fields } : {}) };
  return {
    schema: identifiers ? { ...renumbered, 'identifier-field-ids': identifiers } : renumbered,
    lastColumnId: next - 1,
  };
}

/** The type with every id replaced by what `idFor` gives for the old one, called in Java's order. */
export function renumberType(type: Type, idFor: (oldId: number) => number): Type {
  if (isStruct(type)) {
    const ids = type.fields.map((field) => idFor(field.id));
    const fields = type.fields.map((field, at) => ({
      ...field,
      id: ids[at] ?? field.id,
      type: renumberType(field.type, idFor),
    }));
    return { ...type, fields };
  }
  if (isList(type)) {
    return { ...type, 'element-id': idFor(type['element-id']), element: renumberType(type.element, idFor) };
  }
  if (isMap(type)) {
    const keyId = idFor(type['key-id']);
    const valueId = idFor(type['value-id']);
    const key = renumberType(type.key, idFor);
    return { ...type, 'key-id': keyId, key, 'value-id': valueId, value: renumberType(type.value, idFor) };
  }
  return type;
}

/**
 * Checks types, ids, names and identifier fields against the spec.
 *
 * @throws LakeError('invalid-argument') naming the field at fault.
 */
export function validateSchema(schema: Schema): void {
  validateType(schema);
  const ids = new Map<number, string>();
  const names = new Set<string>();
  for (const { field, path } of indexFields(schema)) {
    checkField(field, path);
    const other = ids.get(field.id);
    if (other !== undefined) refuse(`fields ${other} and ${path} have the same id ${field.id}`);
    if (names.has(path)) refuse(`there are two fields named ${path}`);
    ids.set(field.id, path);
    names.add(path);
  }
  for (const id of schema['identifier-field-ids'] ?? []) checkIdentifier(schema, id);
}

function checkField(field: NestedField, path: string): void {
  if (field.name === '') refuse(`field ${field.id} has no name`);
  if (!Number.isInteger(field.id) || field.id < 0 || field.id > MAX_FIELD_ID) {
    refuse(`field ${path} has the id ${field.id}, outside 0 to ${MAX_FIELD_ID}`);
  }
  if (field.type === 'unknown' && field.required) refuse(`field ${path} of type unknown must be optional`);
}

function checkIdentifier(schema: Schema, id: number): void {
  const field = fieldsById(schema).get(id);
  if (!field) refuse(`identifier field ${id} is not in the schema`);
  const path = columnName(schema, id);
  if (!isPrimitive(field.type)) refuse(`identifier field ${path} is not of a primitive type`);
  if (['float', 'double'].includes(primitiveKind(field.type))) {
    refuse(`identifier field ${path} is a ${field.type}; floating point cannot identify rows`);
  }
  for (let at: number | null = id; at !== null; at = parentFieldId(schema, at)) {
    const around: NestedField | undefined = fieldsById(schema).get(at);
    if (!around?.required) refuse(`identifier field ${path} may be null: ${around?.name ?? at} is optional`);
    if (around && at !== id && !isStruct(around.type)) refuse(`identifier field ${path} is in a list or map`);
  }
}

function refuse(message: string): never {
  throw new LakeError('invalid-argument', `invalid schema: ${message}`, { hint: 'nothing was changed' });
}

function indexFields(schema: StructType): readonly IndexedField[] {
  let index = indexes.get(schema);
  if (!index) {
    index = indexType(schema, '', null);
    indexes.set(schema, index);
  }
  return index;
}

function indexType(type: Type, prefix: string, parentId: number | null): IndexedField[] {
  return childFields(type).flatMap((field) => {
    const path = prefix + field.name;
    return [{ field, path, parentId }, ...indexType(field.type, `${path}.`, field.id)];
  });
}

function childFields(type: Type): readonly NestedField[] {
  if (isStruct(type)) return type.fields;
  if (isList(type)) {
    const required = type['element-required'];
    return [{ id: type['element-id'], name: 'element', required, type: type.element }];
  }
  if (!isMap(type)) return [];
  const required = type['value-required'];
  return [
    { id: type['key-id'], name: 'key', required: true, type: type.key },
    { id: type['value-id'], name: 'value', required, type: type.value },
  ];
}
