import { LakeError } from '../errors.ts';
import { fieldsById, requireField, type Schema } from './schema.ts';
import { canTransform, parseTransform, transformText } from './transforms.ts';
import { describeType } from './types.ts';

/** A sort field (spec: "Sorting"). */
export interface SortField {
  readonly transform: string;
  readonly 'source-id': number;
  readonly direction: 'asc' | 'desc';
  readonly 'null-order': 'nulls-first' | 'nulls-last';
}

export interface SortOrder {
  readonly 'order-id': number;
  readonly fields: readonly SortField[];
}

/** A sort field to be: a dotted column name; identity, ascending, nulls lowest unless said otherwise. */
export interface SortFieldRequest {
  readonly source: string;
  readonly transform?: string;
  readonly direction?: 'asc' | 'desc';
  readonly nullOrder?: 'nulls-first' | 'nulls-last';
}

/** Order id 0 is reserved for it. */
export const UNSORTED: SortOrder = { 'order-id': 0, fields: [] };

/**
 * Makes a sort order; `UNSORTED` if there are no fields.
 *
 * @throws LakeError('not-found') for unknown columns, LakeError('invalid-argument') as `validateSortOrder`.
 */
export function buildSortOrder(
  schema: Schema,
  requests: readonly SortFieldRequest[],
  orderId = 1,
): SortOrder {
  if (requests.length === 0) return UNSORTED;
  const fields = requests.map((request): SortField => {
    const direction = request.direction ?? 'asc';
    return {
      transform: transformText(parseTransform(request.transform ?? 'identity')),
      'source-id': requireField(schema, request.source).id,
      direction,
      'null-order': request.nullOrder ?? (direction === 'asc' ? 'nulls-first' : 'nulls-last'),
    };
  });
  const order = { 'order-id': orderId, fields };
  validateSortOrder(order, schema);
  return order;
}

/**
 * Checks that the order's columns exist and its transforms take them.
 *
 * @throws LakeError('invalid-argument') naming the column at fault.
 */
export function validateSortOrder(order: SortOrder, schema: Schema): void {
  if ((order['order-id'] === 0) !== (order.fields.length === 0)) {
    refuse(`order id 0 is for the order without fields, and only for it`);
  }
  for (const field of order.fields) {
    const source = fieldsById(schema).get(field['source-id']);
    if (!source) refuse(`the schema has no column with id ${field['source-id']}`);
    if (!canTransform(parseTransform(field.transform), source.type)) {
      refuse(`${field.transform} of column ${source.name} does not take ${describeType(source.type)}`);
    }
  }
}

function refuse(reason: string): never {
  throw new LakeError('invalid-argument', `invalid sort order: ${reason}`, { hint: 'nothing was changed' });
}
