import { LakeError } from '../errors.ts';

/** Which partitions a person chose: one by its text, a range with both ends, or all (`*`). */
export interface PartitionChoice {
  /** As it was written. */
  readonly text: string;
  readonly from: string;
  readonly to: string;
}

/**
 * Reads `day=2001-01-05`, `2001-01-05`, `FROM..TO` (both ends included) or `*`. Ends without a field's name are values of
 * the partitions' first field.
 *
 * @throws LakeError `usage` for a range without an end, or with the ends the wrong way round
 */
export function parsePartitionChoice(text: string): PartitionChoice {
  const [from = '', to = from, ...more] = text.split('..');
  const isRange = text.includes('..');
  if (more.length > 0 || (isRange && (from === '' || to === ''))) {
    throw new LakeError('usage', `"${text}" is no range of partitions`, {
      hint: 'write FROM..TO, such as 2001-01-05..2001-01-31, one partition (day=2001-01-05), or "*" for all',
    });
  }
  if (isRange && compare(from, to) > 0) {
    throw new LakeError('usage', `the range "${text}" ends before it begins`, {
      hint: `write ${to}..${from}`,
    });
  }
  return { text, from, to };
}

/** True if the partition (its text, as `tier status` shows it) is chosen. */
export function isChosen({ text, from, to }: PartitionChoice, partition: string): boolean {
  if (text === '*' || text === partition) return true;
  const first = partition.split('/')[0] ?? '';
  const value = first.slice(first.indexOf('=') + 1);
  // An end with a field's name is compared with as many fields as it names.
  const shown = (end: string) =>
    end.includes('=') ? partition.split('/').slice(0, end.split('/').length).join('/') : value;
  return partition !== '' && compare(shown(from), from) >= 0 && compare(shown(to), to) <= 0;
}

/** Whole numbers by value, everything else as text: dates sort so. */
function compare(a: string, b: string): number {
  const [left, right] = [numberOf(a), numberOf(b)];
  if (left !== null && right !== null && left.name === right.name) {
    return left.value < right.value ? -1 : left.value > right.value ? 1 : 0;
  }
  return a < b ? -1 : a > b ? 1 : 0;
}

function numberOf(text: string): { readonly name: string; readonly value: bigint } | null {
  const match = /^(?:([^=/]*)=)?(-?\d+)$/.exec(text);
  return match === null ? null : { name: match[1] ?? '', value: BigInt(match[2] ?? '0') };
}
