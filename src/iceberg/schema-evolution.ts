import { LakeError } from '../errors.ts';
import {
  columnName,
  fieldsById,
  parentFieldId,
  renumberType,
  requireField,
  type Schema,
  validateSchema,
} from './schema.ts';
import {
  decimalParameters,
  describeType,
  isList,
  isMap,
  isStruct,
  type NestedField,
  type StructType,
  type Type,
} from './types.ts';

/** A change of a schema (spec: "Schema Evolution"); columns by their dotted name before the change. */
export type SchemaChange =
  | {
      readonly action: 'add-column';
      /** A struct column, or a list or map of structs; the top of the schema if absent. */
      readonly parent?: string;
      readonly name: string;
      /** Ids in it are replaced by fresh ones. */
      readonly type: Type;
      readonly doc?: string;
      readonly required?: boolean;
      /** A required column without a default makes the rows written before unreadable: say that there are none. */
      readonly allowRequired?: boolean;
    }
  | { readonly action: 'drop-column'; readonly column: string }
  | { readonly action: 'rename-column'; readonly column: string; readonly to: string }
  | { readonly action: 'move-column'; readonly column: string; readonly position: ColumnPosition }
  | { readonly action: 'widen-column'; readonly column: string; readonly type: Type }
  | { readonly action: 'make-optional'; readonly column: string }
  | { readonly action: 'set-doc'; readonly column: string; readonly doc: string };

/** Among the columns of the same struct, named without their path. */
export type ColumnPosition = 'first' | { readonly after: string } | { readonly before: string };

export interface EvolvedSchema {
  readonly schema: Schema;
  readonly lastColumnId: number;
}

type Change<Action extends SchemaChange['action']> = Extract<SchemaChange, { action: Action }>;
type Evolution = {
  [Action in SchemaChange['action']]: (base: EvolvedSchema, change: Change<Action>) => EvolvedSchema;
};

/**
 * Applies changes one after the other and checks the result. Ids of kept columns stay, new ones (nested ones
 * too) come after `lastColumnId`, so that an id never means two columns. The schema id is left to the table.
 *
 * @throws LakeError('not-found') for unknown columns, with the nearest name.
 * @throws LakeError('invalid-argument') for a change that the spec does not allow.
 */
export function evolveSchema(
  schema: Schema,
  lastColumnId: number,
  changes: readonly SchemaChange[],
): EvolvedSchema {
  const evolved = changes.reduce<EvolvedSchema>(applyChange, { schema, lastColumnId });
  validateSchema(evolved.schema);
  return evolved;
}

/** True if values written as `from` can be read as `to` (spec: "Schema Evolution", v2). */
export function canPromote(from: Type, to: Type): boolean {
  if (from === 'int') return to === 'long';
  if (from === 'float') return to === 'double';
  const [narrow, wide] = [decimalParameters(from), decimalParameters(to)];
  return narrow !== null && wide !== null && narrow.scale === wide.scale && narrow.precision < wide.precision;
}

const evolutions: Evolution = {
  'add-column': addColumn,
  'drop-column': (base, { column }) => {
    const { id } = alterable(base.schema, column);
    refuseIdentifier(base.schema, id, column);
    return withSiblings(base, id, (fields) => fields.filter((field) => field.id !== id));
  },
  'rename-column': (base, { column, to }) => {
    const { id } = structField(base.schema, column);
    return withField(base, id, (field) => ({ ...field, name: to }));
  },
  'move-column': (base, { column, position }) => {
    const { id } = structField(base.schema, column);
    return withSiblings(base, id, (fields) => moved(fields, id, position));
  },
  'widen-column': (base, { column, type }) => {
    const current = alterable(base.schema, column);
    if (!canPromote(current.type, type)) {
      refuse(
        `column ${column} cannot change from ${describeType(current.type)} to ${describeType(type)}`,
        'int widens to long, float to double, and a decimal to a higher precision of the same scale',
      );
    }
    return withField(base, current.id, (field) => ({ ...field, type }));
  },
  'make-optional': (base, { column }) => {
    const { id } = alterable(base.schema, column);
    refuseIdentifier(base.schema, id, column);
    return withField(base, id, (field) => ({ ...field, required: false }));
  },
  'set-doc': (base, { column, doc }) => {
    const { id } = structField(base.schema, column);
    return withField(base, id, (field) => ({ ...field, doc }));
  },
};

function applyChange(base: EvolvedSchema, change: SchemaChange): EvolvedSchema {
  const evolve = evolutions[change.action] as (base: EvolvedSchema, change: SchemaChange) => EvolvedSchema;
  return evolve(base, change);
}

function addColumn(base: EvolvedSchema, change: Change<'add-column'>): EvolvedSchema {
  const { name, parent, doc, required = false } = change;
  if (required && !change.allowRequired) {
    refuse(
      `column ${name} cannot be added as required`,
      'rows written before have no value for it; add it as optional',
    );
  }
  const owner = parent === undefined ? null : structOwner(base.schema, parent);
  const siblings = owner === null ? base.schema.fields : owner.fields;
  if (siblings.some((field) => field.name === name)) {
    refuse(`there is a column ${name} already`, 'choose another name, or widen or rename the one there is');
  }
  let last = base.lastColumnId;
  const nextId = (): number => ++last;
  const id = nextId();
  const type = renumberType(change.type, nextId);
  const added: NestedField = { id, name, required, type, ...(doc === undefined ? {} : { doc }) };
  const schema = withStruct(base.schema, owner?.id ?? null, (fields) => [...fields, added]);
  return { schema, lastColumnId: last };
}

/** The struct that columns are added to: the column's own, or that of a list's elements or a map's values. */
function structOwner(schema: Schema, parent: string): { id: number; fields: readonly NestedField[] } {
  const field = alterable(schema, parent);
  const { type } = field;
  if (isStruct(type)) return { id: field.id, fields: type.fields };
  if (isList(type) && isStruct(type.element)) return { id: type['element-id'], fields: type.element.fields };
  if (isMap(type) && isStruct(type.value)) return { id: type['value-id'], fields: type.value.fields };
  return refuse(`column ${parent} is a ${describeType(type)}`, 'columns can be added to structs alone');
}

/** A field that is not part of a map's key: changing those would change which keys are equal. */
function alterable(schema: Schema, column: string): NestedField {
  const field = requireField(schema, column);
  for (let id: number | null = field.id; id !== null; id = parentFieldId(schema, id)) {
    const parentId = parentFieldId(schema, id);
    const around = parentId === null ? undefined : fieldsById(schema).get(parentId);
    if (around && isMap(around.type) && around.type['key-id'] === id) {
      refuse(`column ${column} is part of a map's key`, "a map's keys cannot change; add another column");
    }
  }
  return field;
}

/** A field with a name of its own, not the element of a list or the value of a map. */
function structField(schema: Schema, column: string): NestedField {
  const field = alterable(schema, column);
  const parentId = parentFieldId(schema, field.id);
  const around = parentId === null ? schema : fieldsById(schema).get(parentId)?.type;
  if (around === undefined || !isStruct(around)) {
    refuse(`${column} is what a list or map holds`, 'name the column itself, or a field of a struct');
  }
  return field;
}

function refuseIdentifier(schema: Schema, id: number, column: string): void {
  const inside = (schema['identifier-field-ids'] ?? []).filter((identifier) => {
    let at: number | null = identifier;
    while (at !== null && at !== id) at = parentFieldId(schema, at);
    return at === id;
  });
  if (inside.length === 0) return;
  const names = inside.map((identifier) => columnName(schema, identifier)).join(', ');
  refuse(`column ${column} identifies rows (${names})`, 'change the identifier fields first');
}

function withSiblings(
  base: EvolvedSchema,
  id: number,
  edit: (fields: readonly NestedField[]) => readonly NestedField[],
): EvolvedSchema {
  const name = columnName(base.schema, id);
  structField(base.schema, name);
  return { ...base, schema: withStruct(base.schema, parentFieldId(base.schema, id), edit) };
}

function withStruct(
  schema: Schema,
  ownerId: number | null,
  edit: (fields: readonly NestedField[]) => readonly NestedField[],
): Schema {
  if (ownerId === null) return { ...schema, fields: edit(schema.fields) };
  return editFields(schema, (field) =>
    field.id === ownerId && isStruct(field.type)
      ? { ...field, type: { ...field.type, fields: edit(field.type.fields) } }
      : field,
  );
}

function withField(
  base: EvolvedSchema,
  id: number,
  edit: (field: NestedField) => NestedField,
): EvolvedSchema {
  return { ...base, schema: editFields(base.schema, (field) => (field.id === id ? edit(field) : field)) };
}

/** Runs `edit` over every field, elements, keys and values among them, the innermost first. */
function editFields<Struct extends StructType>(
  struct: Struct,
  edit: (field: NestedField) => NestedField,
): Struct {
  const fields = struct.fields.map((field) => edit({ ...field, type: editType(field.type, edit) }));
  return { ...struct, fields };
}

function editType(type: Type, edit: (field: NestedField) => NestedField): Type {
  const part = (id: number, name: string, required: boolean, inner: Type): NestedField =>
    edit({ id, name, required, type: editType(inner, edit) });
  if (isStruct(type)) return editFields(type, edit);
  if (isList(type)) {
    const element = part(type['element-id'], 'element', type['element-required'], type.element);
    return { ...type, 'element-required': element.required, element: element.type };
  }
  if (isMap(type)) {
    const value = part(type['value-id'], 'value', type['value-required'], type.value);
    return { ...type, 'value-required': value.required, value: value.type };
  }
  return type;
}

function moved(fields: readonly NestedField[], id: number, position: ColumnPosition): readonly NestedField[] {
  const field = fields.filter((candidate) => candidate.id === id);
  const others = fields.filter((candidate) => candidate.id !== id);
  if (position === 'first') return [...field, ...others];
  const anchor = 'after' in position ? position.after : position.before;
  const at = others.findIndex(({ name }) => name === anchor);
  if (at < 0) {
    const names = others.map(({ name }) => name).join(', ');
    refuse(`there is no column ${anchor} beside the one to move`, `the others are ${names}`);
  }
  return others.toSpliced('after' in position ? at + 1 : at, 0, ...field);
}

function refuse(message: string, hint: string): never {
  throw new LakeError('invalid-argument', message, { hint: `${hint}; nothing was changed` });
}
