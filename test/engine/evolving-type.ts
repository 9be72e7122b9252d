import fc from 'fast-check';
import { duckDbType } from '../../src/engine/duckdb-types.ts';
import { quoteName } from '../../src/engine/sql-text.ts';
import { renumberType } from '../../src/iceberg/schema.ts';
import {
  isList,
  isMap,
  isStruct,
  type NestedField,
  type StructType,
  type Type,
} from '../../src/iceberg/types.ts';

const NAMES = ['a', 'b', 'C d', 'é', 'e"f'];

const field = (name: string, type: Type): NestedField => ({ id: 0, name, required: false, type });

const { tree } = fc.letrec<{ tree: Type }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom<Type>('int', 'string', 'float', 'decimal(5, 2)'),
    fc
      .array(tie('tree'), { minLength: 1, maxLength: 3 })
      .map((types): Type => ({ type: 'struct', fields: types.map((type, i) => field(NAMES[i]!, type)) })),
    tie('tree').map(
      (element): Type => ({ type: 'list', 'element-id': 0, 'element-required': false, element }),
    ),
    fc.tuple(fc.constantFrom('int', 'string'), tie('tree')).map(
      ([key, value]): Type => ({
        type: 'map',
        'key-id': 0,
        key,
        'value-id': 0,
        'value-required': false,
        value,
      }),
    ),
  ),
}));

/** A schema's struct of one to three columns, nested up to four levels; ids from 1. */
export const columns: fc.Arbitrary<StructType> = fc
  .array(tree, { minLength: 1, maxLength: 3 })
  .map((types) => numbered({ type: 'struct', fields: types.map((type, i) => field(NAMES[i]!, type)) }, 1));

/** A change to one of a schema's structs, which `where` picks. */
export interface Change {
  readonly kind: 'add' | 'drop' | 'rename' | 'reorder' | 'widen';
  readonly where: number;
  readonly at: number;
  readonly type: Type;
}

export const change: fc.Arbitrary<Change> = fc.record({
  kind: fc.constantFrom('add', 'drop', 'rename', 'reorder', 'widen'),
  where: fc.nat(99),
  at: fc.nat(99),
  type: tree,
});

function numbered(struct: StructType, from: number): StructType {
  let next = from;
  const type = renumberType(struct, () => next++);
  if (!isStruct(type)) throw new Error('no struct');
  return type;
}

/** Every struct below (and with) a type, whatever lies between. */
function structsOf(type: Type): StructType[] {
  if (isStruct(type)) return [type, ...type.fields.flatMap((child) => structsOf(child.type))];
  if (isList(type)) return structsOf(type.element);
  return isMap(type) ? structsOf(type.value) : [];
}

function replaced(type: Type, old: StructType, by: StructType): Type {
  if (type === old) return by;
  if (isStruct(type))
    return {
      ...type,
      fields: type.fields.map((child) => ({ ...child, type: replaced(child.type, old, by) })),
    };
  if (isList(type)) return { ...type, element: replaced(type.element, old, by) };
  return isMap(type) ? { ...type, value: replaced(type.value, old, by) } : type;
}

function widened(type: Type): Type {
  if (type === 'int') return 'long';
  if (type === 'float') return 'double';
  if (type === 'decimal(5, 2)') return 'decimal(20, 2)';
  if (isList(type)) return { ...type, element: widened(type.element) };
  if (isMap(type)) return { ...type, key: widened(type.key), value: widened(type.value) };
  return type;
}

/** The schema after a change, as an Iceberg table allows it; ids of new fields start at `nextId`. */
export function changed(root: StructType, { kind, where, at, type }: Change, nextId: number): StructType {
  const structs = structsOf(root);
  const target = structs[where % structs.length]!;
  const { fields } = target;
  const chosen = at % fields.length;
  const free = NAMES.filter((name) => !fields.some((one) => one.name === name));
  const name = free[at % Math.max(free.length, 1)];
  const others = fields.filter((_, i) => i !== chosen);
  const own = fields[chosen]!;
  const made = ((): readonly NestedField[] => {
    if (kind === 'drop') return others.length === 0 ? fields : others;
    if (kind === 'reorder') return [...others, own];
    if (kind === 'widen') return fields.with(chosen, { ...own, type: widened(own.type) });
    if (name === undefined) return fields;
    if (kind === 'rename') return fields.with(chosen, { ...own, name });
    return [...numbered({ type: 'struct', fields: [field(name, type)] }, nextId).fields, ...fields];
  })();
  const after = replaced(root, target, { ...target, fields: made });
  if (!isStruct(after)) throw new Error('no struct');
  return after;
}

/** A value as the model has it: structs by field id, maps as pairs. */
export type ModelValue =
  | null
  | number
  | string
  | { readonly kind: 'struct'; readonly byId: ReadonlyMap<number, ModelValue> }
  | { readonly kind: 'list'; readonly items: readonly ModelValue[] }
  | { readonly kind: 'map'; readonly entries: readonly (readonly [number | string, ModelValue])[] };

/** A value of a type, nulls at every level; `next` gives numbers from 0 to 99. */
export function randomValue(type: Type, next: () => number): ModelValue {
  if (next() < 20) return null;
  if (isStruct(type)) {
    return { kind: 'struct', byId: new Map(type.fields.map((one) => [one.id, randomValue(one.type, next)])) };
  }
  const length = next() % 3;
  if (isList(type))
    return { kind: 'list', items: Array.from({ length }, () => randomValue(type.element, next)) };
  if (isMap(type)) {
    const keyOf = (i: number): number | string => (type.key === 'string' ? `k${i}` : i);
    return {
      kind: 'map',
      entries: Array.from({ length }, (_, i) => [keyOf(i), randomValue(type.value, next)] as const),
    };
  }
  return type === 'string' ? `t${next()}` : next();
}

/** A value as SQL of a type's own form. */
export function sqlOf(type: Type, value: ModelValue): string {
  if (value === null) return `CAST(NULL AS ${duckDbType(type)})`;
  if (typeof value !== 'object') return `CAST('${value}' AS ${duckDbType(type)})`;
  if (isStruct(type) && value.kind === 'struct') {
    const parts = type.fields.map(
      (one) => `${quoteName(one.name)} := ${sqlOf(one.type, value.byId.get(one.id) ?? null)}`,
    );
    return `struct_pack(${parts.join(', ')})`;
  }
  const array = (element: Type, items: readonly ModelValue[]): string =>
    `CAST([${items.map((item) => sqlOf(element, item)).join(', ')}] AS ${duckDbType(element)}[])`;
  if (isList(type) && value.kind === 'list') return array(type.element, value.items);
  if (isMap(type) && value.kind === 'map') {
    return `map(${array(
      type.key,
      value.entries.map(([key]) => key),
    )}, ${array(
      type.value,
      value.entries.map(([, inner]) => inner),
    )})`;
  }
  throw new Error('the value is not of the type');
}

/** What a reader with this type shows of a value that was written with an older one: by field ids, null where there is none. */
export function shown(type: Type, value: ModelValue | undefined): unknown {
  if (value === null || value === undefined) return null;
  if (typeof value !== 'object') return value;
  if (isStruct(type) && value.kind === 'struct') {
    return Object.fromEntries(type.fields.map((one) => [one.name, shown(one.type, value.byId.get(one.id))]));
  }
  if (isList(type) && value.kind === 'list') return value.items.map((item) => shown(type.element, item));
  if (isMap(type) && value.kind === 'map') {
    return Object.fromEntries(value.entries.map(([key, inner]) => [String(key), shown(type.value, inner)]));
  }
  throw new Error('the value is not of the type');
}
