import { LakeError } from '../errors.ts';
import type { PolicyMatch } from './policy-file.ts';
import type { Policy, PolicySet } from './policy-set.ts';

/** What a policy's `match` looks at. */
export interface MatchedTable {
  /** `namespace.name`, levels joined by dots. */
  readonly table: string;
  readonly tags: Readonly<Record<string, string>>;
}

/**
 * The one policy that governs a table: of those that match, the one with the highest priority; null if none.
 *
 * @throws LakeError `invalid-file` on a tie
 */
export function governingPolicy(set: PolicySet, table: MatchedTable): Policy | null {
  const matching = set.policies.filter((policy) => matchesTable(policy.match, table));
  const highest = Math.max(...matching.map((policy) => policy.priority));
  const [first, second] = matching.filter((policy) => policy.priority === highest);
  if (first !== undefined && second !== undefined) {
    const both = `"${first.name}" (${first.file}) and "${second.name}" (${second.file})`;
    throw new LakeError('invalid-file', `two policies of priority ${highest} match ${table.table}: ${both}`, {
      where: second.where,
      hint: 'give one of them a higher priority, or exclude the table from one',
    });
  }
  return first ?? null;
}

/** AND across the keys of `match`, OR within a list. An empty `match` takes every table. */
export function matchesTable(
  { layer, tables, exclude, tags: wanted }: PolicyMatch,
  { table, tags }: MatchedTable,
): boolean {
  if (layer !== undefined && !listOf(layer).some((name) => name === table.split('.')[0])) return false;
  if (tables !== undefined && !listOf(tables).some((pattern) => globMatches(pattern, table))) return false;
  if (exclude !== undefined && listOf(exclude).some((pattern) => globMatches(pattern, table))) return false;
  return Object.entries(wanted ?? {}).every(([key, values]) => {
    const value = tags[key];
    return value !== undefined && listOf(values).includes(value);
  });
}

function listOf<T>(value: T | readonly T[]): readonly T[] {
  return Array.isArray(value) ? (value as readonly T[]) : [value as T];
}

/** `*` is any text, `?` one character; everything else means itself. */
function globMatches(pattern: string, text: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 'su').test(text);
}
