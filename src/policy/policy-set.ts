import { type Duration, durationMs, parseDuration } from './duration.ts';
import type { PolicyDefaults, PolicyFile, PolicyMatch, PolicyRule } from './policy-file.ts';

/** One policy with what it inherited. `transitions` go from hotter to colder, each later than the one before. */
export interface Policy {
  readonly name: string;
  /** Its file, as it is shown. */
  readonly file: string;
  /** `file:line:column` of the policy, for messages. */
  readonly where: string;
  readonly priority: number;
  readonly match: PolicyMatch;
  /** How long old copies stay after a move, in ms. */
  readonly graceMs: number;
  readonly age: AgeRule;
  readonly transitions: readonly Transition[];
  /** How long `lake expire` keeps snapshots; what is not said is left to the table's properties. */
  readonly snapshots: SnapshotRule;
  /** How old `lake orphans` lets unreferenced files become; null where no policy says. */
  readonly orphans: OrphanRule | null;
}

/** From when data ages: the end of its partition's time range, the upper bound of a column, its first commit. */
export type AgeRule =
  | { readonly by: 'partition' }
  | { readonly by: 'column'; readonly column: string }
  | { readonly by: 'commit' };

export interface Transition {
  readonly to: string;
  readonly after: Duration;
  /** `after` as it was written, for reasons. */
  readonly afterText: string;
}

/** Retention of snapshots and refs. A key that is absent is not ruled by the policy: the table's property counts. */
export interface SnapshotRule {
  readonly minToKeep?: number;
  readonly maxAgeMs?: number;
  readonly maxRefAgeMs?: number;
}

export interface OrphanRule {
  readonly olderThanMs: number;
}

export interface PolicySet {
  readonly policies: readonly Policy[];
  /** Names of the lake's tiers, hottest first. */
  readonly tiers: readonly string[];
}

/** A valid policy file, and where its parts stand. */
export interface PlacedPolicyFile {
  readonly file: string;
  readonly value: PolicyFile;
  /** `file:line:column` of the node under a path. */
  where(path: readonly (string | number)[]): string;
}

const DEFAULT_GRACE = '24h';

/**
 * The policies of a folder as one set. The files must be free of problems (`policyFindings`).
 *
 * @param files the checked contents, in a stable order
 * @param tiers the names of the lake's tiers, hottest first
 */
export function buildPolicySet(files: readonly PlacedPolicyFile[], tiers: readonly string[]): PolicySet {
  const defaults = Object.assign({}, ...files.map(({ value }) => value.defaults ?? {})) as PolicyDefaults;
  const policies = files.flatMap((placed) =>
    (placed.value.policies ?? []).map((rule, at) =>
      inherit(placed.file, placed.where(['policies', at]), rule, defaults),
    ),
  );
  return { policies, tiers };
}

function inherit(file: string, where: string, rule: PolicyRule, defaults: PolicyDefaults): Policy {
  const grace = rule.grace ?? defaults.grace ?? DEFAULT_GRACE;
  const transitions = rule.transitions ?? defaults.transitions ?? [];
  const orphans = rule.orphans ?? defaults.orphans;
  return {
    name: rule.name,
    file,
    where,
    priority: rule.priority ?? 0,
    match: rule.match,
    graceMs: spanMs(grace),
    age: ageRule(rule.age ?? defaults.age),
    transitions: transitions.map(({ to, after }) => ({ to, after: parseDuration(after), afterText: after })),
    snapshots: snapshotRule({ ...defaults.snapshots, ...rule.snapshots }),
    orphans: orphans === undefined ? null : { olderThanMs: spanMs(orphans.older_than) },
  };
}

function ageRule(age: PolicyDefaults['age']): AgeRule {
  if (age === undefined) return { by: 'partition' };
  return 'column' in age ? { by: 'column', column: age.column } : { by: age.from };
}

function snapshotRule(said: NonNullable<PolicyDefaults['snapshots']>): SnapshotRule {
  return {
    ...(said.min_to_keep === undefined ? {} : { minToKeep: said.min_to_keep }),
    ...(said.max_age === undefined ? {} : { maxAgeMs: spanMs(said.max_age) }),
    ...(said.max_ref_age === undefined ? {} : { maxRefAgeMs: spanMs(said.max_ref_age) }),
  };
}

function spanMs(text: string): number {
  return durationMs(parseDuration(text));
}
