import { nearestName } from '../iceberg/nearest-name.ts';
import { type Duration, durationMs, parseDuration } from './duration.ts';
import type { PolicyDefaults, PolicyFile, PolicyMatch, PolicyRule } from './policy-file.ts';

/** One policy with what it inherited. `transitions` go from hotter to colder, each later than the one before. */
export interface Policy {
  readonly name: string;
  readonly file: string;
  readonly priority: number;
  readonly match: PolicyMatch;
  /** How long old copies stay after a move, in ms. */
  readonly graceMs: number;
  readonly transitions: readonly Transition[];
}

export interface Transition {
  readonly to: string;
  readonly after: Duration;
  /** `after` as it was written, for reasons. */
  readonly afterText: string;
}

export interface PolicySet {
  readonly policies: readonly Policy[];
  /** Names of the lake's tiers, hottest first. */
  readonly tiers: readonly string[];
}

/** Something wrong in what a file says; `path` leads to the node. */
export interface PolicyFinding {
  readonly file: string;
  readonly path: readonly (string | number)[];
  readonly message: string;
  readonly hint?: string;
}

const DEFAULT_GRACE = '24h';

/**
 * The policies of a folder as one set, or everything that is wrong with them: keys that do nothing yet,
 * unknown tiers, transitions that lead back or are out of order, names used twice.
 *
 * @param files the checked contents, in a stable order
 * @param tiers the names of the lake's tiers, hottest first
 */
export function buildPolicySet(
  files: readonly { readonly file: string; readonly value: PolicyFile }[],
  tiers: readonly string[],
): { readonly set: PolicySet; readonly findings: readonly PolicyFinding[] } {
  const defaults = mergeDefaults(files);
  const findings = [...defaults.findings];
  const policies: Policy[] = [];
  const seen = new Map<string, string>();
  for (const { file, value } of files) {
    findings.push(...notWorking(file, ['defaults'], value.defaults ?? {}));
    findings.push(...badTransitions(file, ['defaults', 'transitions'], value.defaults?.transitions, tiers));
    if (value.holds !== undefined) findings.push(holdFinding(file));
    for (const [at, rule] of (value.policies ?? []).entries()) {
      const path = ['policies', at];
      findings.push(...notWorking(file, path, rule));
      findings.push(...badTransitions(file, [...path, 'transitions'], rule.transitions, tiers));
      const other = seen.get(rule.name);
      if (other !== undefined) {
        const message = `the policy name "${rule.name}" is used twice (also in ${other})`;
        findings.push({ file, path: [...path, 'name'], message, hint: 'give each policy a name of its own' });
      }
      seen.set(rule.name, file);
      policies.push(inherit(file, rule, defaults.merged));
    }
  }
  return { set: { policies, tiers }, findings };
}

function inherit(file: string, rule: PolicyRule, defaults: PolicyDefaults): Policy {
  const grace = rule.grace ?? defaults.grace ?? DEFAULT_GRACE;
  const transitions = rule.transitions ?? defaults.transitions ?? [];
  return {
    name: rule.name,
    file,
    priority: rule.priority ?? 0,
    match: rule.match,
    graceMs: durationMs(parseDuration(grace)),
    transitions: transitions.map(({ to, after }) => ({ to, after: parseDuration(after), afterText: after })),
  };
}

/** Defaults hold for every policy of the folder, so two files may not say two things about one key. */
function mergeDefaults(files: readonly { file: string; value: PolicyFile }[]) {
  let merged: PolicyDefaults = {};
  const findings: PolicyFinding[] = [];
  const from = new Map<string, string>();
  for (const { file, value } of files) {
    for (const [key, said] of Object.entries(value.defaults ?? {})) {
      const other = from.get(key);
      if (
        other !== undefined &&
        JSON.stringify(merged[key as keyof PolicyDefaults]) !== JSON.stringify(said)
      ) {
        const message = `the default "${key}" is set differently in ${other}`;
        findings.push({ file, path: ['defaults', key], message, hint: 'keep it in one file of the folder' });
      }
      from.set(key, file);
    }
    merged = { ...merged, ...value.defaults };
  }
  return { merged, findings };
}

/** Keys that a later version will obey. Ignoring one in silence would let a steward believe that it works. */
const NOT_WORKING = ['snapshots', 'retention', 'orphans', 'compaction', 'schedule'] as const;

function notWorking(file: string, path: readonly (string | number)[], rule: PolicyDefaults): PolicyFinding[] {
  const finding = (key: string, hint: string, below: readonly string[] = []): PolicyFinding => ({
    file,
    path: [...path, key, ...below],
    message: `"${[key, ...below].join('.')}" is valid, but this version does not act on it`,
    hint,
  });
  const found = NOT_WORKING.filter((key) => rule[key] !== undefined).map((key) =>
    finding(key, 'remove it for now: nothing would be done'),
  );
  const partitions = 'write age: { from: partition }';
  if (rule.age !== undefined && 'column' in rule.age) found.push(finding('age', partitions, ['column']));
  if (rule.age !== undefined && 'from' in rule.age && rule.age.from === 'commit') {
    found.push({ ...finding('age', partitions, ['from']), message: ageFromCommit });
  }
  return found;
}

const ageFromCommit = '"age: { from: commit }" is valid, but this version does not act on it';

function holdFinding(file: string): PolicyFinding {
  return {
    file,
    path: ['holds'],
    message: 'this version does not keep legal holds, and a hold that is not kept would be worse than none',
    hint: 'remove "holds", and give the held tables no transitions',
  };
}

function badTransitions(
  file: string,
  path: readonly (string | number)[],
  transitions: PolicyRule['transitions'],
  tiers: readonly string[],
): PolicyFinding[] {
  const findings: PolicyFinding[] = [];
  let before = { rank: 0, name: tiers[0] ?? '', age: -1 };
  for (const [at, { to, after }] of (transitions ?? []).entries()) {
    const rank = tiers.indexOf(to);
    const age = durationMs(parseDuration(after));
    if (rank < 0) {
      const near = nearestName(to, tiers);
      const hint = near === null ? `the tiers are ${tiers.join(', ')}` : `did you mean "${near}"?`;
      findings.push({ file, path: [...path, at, 'to'], message: `there is no tier "${to}"`, hint });
      continue;
    }
    if (rank <= before.rank) {
      const message = `the transition to "${to}" does not lead to a colder tier than "${before.name}"`;
      const hint = `the tiers from hot to cold: ${tiers.join(', ')}; moving back up is no policy's work`;
      findings.push({ file, path: [...path, at, 'to'], message, hint });
    }
    if (age <= before.age) {
      const message = `the transition to "${to}" is not later than the one to "${before.name}"`;
      findings.push({ file, path: [...path, at, 'after'], message, hint: 'order transitions by age' });
    }
    before = { rank: Math.max(rank, before.rank), name: to, age };
  }
  return findings;
}
