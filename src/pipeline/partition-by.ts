import { LakeError } from '../errors.ts';
import type { PartitionFieldRequest } from '../iceberg/partition-spec.ts';
import type { SortFieldRequest } from '../iceberg/sort-order.ts';

/**
 * `partition_by` as partition fields: `col`, `day(col)`, `bucket(16, col)`, `truncate(4, col)`.
 *
 * @throws LakeError `invalid-file` for text of another shape
 */
export function partitionRequests(
  partitionBy: readonly string[] = [],
  where: string,
): PartitionFieldRequest[] {
  return partitionBy.map((text) => {
    const plain = /^\s*(\w+)\s*$/.exec(text);
    if (plain !== null) return { source: plain[1] ?? '', transform: 'identity' };
    const call = /^\s*(\w+)\(\s*(?:(\d+)\s*,\s*)?([\w.]+)\s*\)\s*$/.exec(text);
    if (call === null) {
      throw new LakeError('invalid-file', `"${text}" is no partition field`, {
        where,
        hint: 'write a column, day(column), month(column), year(column), hour(column) or bucket(16, column)',
      });
    }
    const [, name = '', width, source = ''] = call;
    return { source, transform: width === undefined ? name : `${name}[${width}]` };
  });
}

/** `sort_by` as sort fields: `col`, `col asc` or `col desc`. */
export function sortRequests(sortBy: readonly string[] = []): SortFieldRequest[] {
  return sortBy.map((text) => {
    const [source = '', direction] = text.split(' ');
    return { source, direction: direction === 'desc' ? 'desc' : 'asc' };
  });
}
