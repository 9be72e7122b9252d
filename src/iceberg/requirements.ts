import { LakeError } from '../errors.ts';
import type { TableMetadata } from './table-metadata.ts';

/** A commit requirement of the REST spec (`TableRequirement`), as it stands on the wire. */
export type TableRequirement =
  | { readonly type: 'assert-create' }
  | { readonly type: 'assert-table-uuid'; readonly uuid: string }
  | { readonly type: 'assert-ref-snapshot-id'; readonly ref: string; readonly 'snapshot-id': bigint | null }
  | { readonly type: 'assert-last-assigned-field-id'; readonly 'last-assigned-field-id': number }
  | { readonly type: 'assert-current-schema-id'; readonly 'current-schema-id': number }
  | { readonly type: 'assert-last-assigned-partition-id'; readonly 'last-assigned-partition-id': number }
  | { readonly type: 'assert-default-spec-id'; readonly 'default-spec-id': number }
  | { readonly type: 'assert-default-sort-order-id'; readonly 'default-sort-order-id': number };

type RequirementByType = { readonly [R in TableRequirement as R['type']]: R };
type RequirementType = keyof RequirementByType;
type RequirementOf<T extends RequirementType = RequirementType> = {
  readonly [K in T]: RequirementByType[K] & { readonly type: K };
}[T];

/** Null if the requirement holds, else what does not. `base` is null for a table that does not exist. */
type Check<T extends RequirementType> = (
  base: TableMetadata | null,
  requirement: RequirementByType[T],
) => string | null;

const checks: { readonly [T in RequirementType]: Check<T> } = {
  'assert-create': (base) => (base ? 'table already exists' : null),
  'assert-table-uuid': (base, { uuid }) =>
    differs('UUID does not match', uuid.toLowerCase(), base?.['table-uuid'].toLowerCase()),
  'assert-ref-snapshot-id': (base, { ref, 'snapshot-id': expected }) => checkRef(base, ref, expected),
  'assert-last-assigned-field-id': (base, requirement) =>
    differs(
      'last assigned field id changed',
      requirement['last-assigned-field-id'],
      base?.['last-column-id'],
    ),
  'assert-current-schema-id': (base, requirement) =>
    differs('current schema changed', requirement['current-schema-id'], base?.['current-schema-id']),
  'assert-last-assigned-partition-id': (base, requirement) =>
    differs(
      'last assigned partition id changed',
      requirement['last-assigned-partition-id'],
      base?.['last-partition-id'],
    ),
  'assert-default-spec-id': (base, requirement) =>
    differs('default partition spec changed', requirement['default-spec-id'], base?.['default-spec-id']),
  'assert-default-sort-order-id': (base, requirement) =>
    differs(
      'default sort order changed',
      requirement['default-sort-order-id'],
      base?.['default-sort-order-id'],
    ),
};

/**
 * Checks the requirements of a commit (REST spec: `TableRequirement`) against the table as it is.
 *
 * @param base null if the table does not exist.
 * @throws LakeError('conflict') naming the first requirement that does not hold and the state found;
 *   LakeError('invalid-argument') for a type of requirement that this version does not know.
 */
export function checkRequirements(
  base: TableMetadata | null,
  requirements: readonly TableRequirement[],
): void {
  for (const requirement of requirements) refuseUnknown(requirement);
  for (const requirement of requirements) {
    const failure = check(base, requirement);
    if (failure === null) continue;
    throw new LakeError('conflict', `Requirement failed: ${failure} (${requirement.type})`, {
      ...(base ? { where: base.location } : {}),
      hint: 'nothing was committed; refresh the table and derive the change anew',
      context: { requirement: requirement.type },
    });
  }
}

function check<T extends RequirementType>(base: TableMetadata | null, requirement: RequirementOf<T>) {
  return checks[requirement.type](base, requirement);
}

/** A requirement that is not understood must not pass: the client relies on it. */
function refuseUnknown(requirement: { readonly type: string }): void {
  if (Object.hasOwn(checks, requirement.type)) return;
  throw new LakeError('invalid-argument', `unknown requirement type ${requirement.type}`, {
    hint: `this catalog knows ${Object.keys(checks).join(', ')}`,
  });
}

function checkRef(base: TableMetadata | null, ref: string, expected: bigint | null): string | null {
  const found = base && Object.hasOwn(base.refs, ref) ? base.refs[ref] : undefined;
  if (!found) return expected === null ? null : `there is no ref ${ref}, expected it at snapshot ${expected}`;
  const actual = found['snapshot-id'];
  if (expected === null) return `${found.type} ${ref} exists already, at snapshot ${actual}`;
  if (actual === expected) return null;
  return `${found.type} ${ref} is at snapshot ${actual}, expected ${expected}`;
}

function differs<V extends string | number>(what: string, expected: V, actual: V | undefined): string | null {
  if (actual === expected) return null;
  if (actual === undefined) return `${what}: the table does not exist, expected ${expected}`;
  return `${what}: it is ${actual}, expected ${expected}`;
}
