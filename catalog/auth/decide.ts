import type { Levels, TableName } from '../store/catalog-store.ts';
import type { Privilege, Right } from './access.ts';

/** Which privileges one includes. Stewards' rights (policies, holds) are not part of managing: two people can watch each other. */
export const IMPLIED: Readonly<Record<Privilege, readonly Privilege[]>> = {
  read: ['read'],
  write: ['write', 'read'],
  maintain: ['maintain', 'read'],
  steward: ['steward', 'read'],
  manage: ['manage', 'write', 'maintain', 'read'],
};

/** What a privilege was granted on. Tables and views go by uuid; `at` is where it stands now, null for a dropped one. */
export type GrantScope =
  | { readonly kind: 'catalog' }
  | { readonly kind: 'namespace'; readonly levels: Levels }
  | { readonly kind: 'table' | 'view'; readonly uuid: string; readonly at: TableName | null };

/** One privilege that a caller holds, granted to them or to a role of theirs. */
export interface Held {
  readonly privilege: Privilege;
  readonly scope: GrantScope;
}

/** What is asked for. A table or view that does not exist has no uuid; what lies nowhere has only the catalog above it. */
export type Target =
  | { readonly kind: 'catalog' }
  | { readonly kind: 'namespace'; readonly levels: Levels }
  | {
      readonly kind: 'table' | 'view';
      readonly uuid: string | null;
      readonly namespace: Levels | null;
    };

/** `hidden`: to be answered as if it did not exist. */
export type Decision =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly hidden: boolean; readonly reason: string };

/** True if one of the rights is held on the target: directly, or on something above it; `see` also by something below it. */
export function holds(held: readonly Held[], anyOf: readonly Right[], target: Target): boolean {
  return held.some(({ privilege, scope }) =>
    anyOf.some((right) => {
      if (right === 'see') return covers(scope, target) || liesIn(scope, target);
      return IMPLIED[privilege].includes(right) && covers(scope, target);
    }),
  );
}

/**
 * Pure: may a caller with these privileges do what needs one of `anyOf` on `target`? What they have no right on at all is hidden from them.
 *
 * @param about what they have to see at least to be told "forbidden" instead of "there is no such thing"
 */
export function decide(
  held: readonly Held[],
  anyOf: readonly Right[],
  target: Target,
  about: Target = target,
): Decision {
  if (holds(held, anyOf, target)) return { allowed: true };
  const hidden = isMissing(about) || !holds(held, ['see'], about);
  const what = target.kind === 'catalog' ? 'the catalog' : `the ${target.kind} or above it`;
  return { allowed: false, hidden, reason: `needs ${anyOf.join(' or ')} on ${what}` };
}

function isMissing(target: Target): boolean {
  return (target.kind === 'table' || target.kind === 'view') && target.uuid === null;
}

/** The scope is the target or above it. */
function covers(scope: GrantScope, target: Target): boolean {
  if (scope.kind === 'catalog') return true;
  if (target.kind === 'catalog') return false;
  if (scope.kind === 'namespace') return startsWith(namespaceOf(target), scope.levels);
  return scope.kind === target.kind && scope.uuid === target.uuid;
}

/** The scope is something below the target, so that the target is on the way to it. */
function liesIn(scope: GrantScope, target: Target): boolean {
  if (target.kind === 'catalog') return true;
  if (target.kind !== 'namespace' || scope.kind === 'catalog') return false;
  return startsWith(scope.kind === 'namespace' ? scope.levels : (scope.at?.namespace ?? null), target.levels);
}

function namespaceOf(target: Exclude<Target, { kind: 'catalog' }>): Levels | null {
  return target.kind === 'namespace' ? target.levels : target.namespace;
}

function startsWith(levels: Levels | null, prefix: Levels): boolean {
  return levels !== null && levels.length >= prefix.length && prefix.every((one, at) => one === levels[at]);
}
