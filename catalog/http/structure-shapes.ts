import * as z from 'zod';
import type { PartitionSpec } from '../../src/iceberg/partition-spec.ts';
import type { Schema } from '../../src/iceberg/schema.ts';
import type { SortOrder } from '../../src/iceberg/sort-order.ts';

/** Schemas, specs and sort orders in requests: the types of their parts; what they mean is for the Iceberg code to check. */
const int = z.number().int();

/** Deeper ones are damage, and whatever walks through types by recursion would run out of stack. */
const DEEPEST_TYPE = 100;

const field = z.looseObject({ id: int, name: z.string().min(1), required: z.boolean() });
const list = z.looseObject({ 'element-id': int, 'element-required': z.boolean() });
const map = z.looseObject({ 'key-id': int, 'value-id': int, 'value-required': z.boolean() });
const nested = z.looseObject({ type: z.string() });

function isType(type: unknown, depth: number): boolean {
  if (typeof type === 'string') return true;
  const { success, data } = nested.safeParse(type);
  if (!success || depth > DEEPEST_TYPE) return false;
  if (data.type === 'list') return list.safeParse(data).success && isType(data['element'], depth + 1);
  if (data.type === 'map') {
    return map.safeParse(data).success && isType(data['key'], depth + 1) && isType(data['value'], depth + 1);
  }
  return data.type === 'struct' && areFields(data['fields'], depth);
}

function areFields(fields: unknown, depth: number): boolean {
  if (!Array.isArray(fields)) return false;
  return fields.every((item: unknown) => {
    const { success, data } = field.safeParse(item);
    return success && isType(data['type'], depth + 1);
  });
}

const schema = z.looseObject({
  type: z.literal('struct'),
  'schema-id': int.nullish(),
  'identifier-field-ids': z.array(int).nullish(),
});

/** REST spec: `Schema`. */
export const schemaShape = z.custom<Schema>((value) => {
  const { success, data } = schema.safeParse(value);
  return success && areFields(data['fields'], 0);
}, `expected a schema: fields with id, name, required and type, nested at most ${DEEPEST_TYPE} deep`);

/** v3 fields of several columns name them in source-ids. */
const sources = z.union([
  z.looseObject({ 'source-id': int }),
  z.looseObject({ 'source-ids': z.array(int).min(1) }),
]);

const spec = z.looseObject({
  'spec-id': int.nullish(),
  fields: z.array(
    z.looseObject({ 'field-id': int.nullish(), name: z.string().min(1), transform: z.string() }).and(sources),
  ),
});
export const specShape = z.custom<PartitionSpec>(
  (value) => spec.safeParse(value).success,
  'expected a partition spec: fields with source-id, name and transform',
);

const order = z.looseObject({
  'order-id': int.nullish(),
  fields: z.array(
    z.looseObject({ transform: z.string(), direction: z.string(), 'null-order': z.string() }).and(sources),
  ),
});
export const orderShape = z.custom<SortOrder>(
  (value) => order.safeParse(value).success,
  'expected a sort order: fields with source-id, transform, direction and null-order',
);
