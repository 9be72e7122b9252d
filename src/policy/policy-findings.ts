import { nearestName } from '../iceberg/nearest-name.ts';
import { durationMs, parseDuration } from './duration.ts';
import { certainTies } from './policy-ties.ts';
import {
  type Keys,
  keysOf,
  listOf,
  type Path,
  type PolicyFinding,
  type RawPolicyFile,
  type RawRule,
  spanOf,
} from './raw-policy.ts';

/** Younger unreferenced files may belong to a commit under way (DESIGN 4.3). */
const ORPHAN_FLOOR = '24h';

/**
 * Everything that is wrong with what the files of a folder mean: unknown and earlier tiers, transitions out of order, names
 * used twice, defaults that differ, certain ties, keys that do nothing yet. Works beside problems of shape. Pure.
 *
 * @param files the files' contents in a stable order
 * @param tiers the names of the lake's tiers, hottest first
 */
export function policyFindings(files: readonly RawPolicyFile[], tiers: readonly string[]): PolicyFinding[] {
  return [
    ...files.flatMap((one) => findingsOfFile(one, tiers)),
    ...differingDefaults(files),
    ...namesUsedTwice(files),
    ...certainTies(rulesOf(files)),
  ];
}

function rulesOf(files: readonly RawPolicyFile[]): RawRule[] {
  return files.flatMap(({ file, raw }) =>
    listOf(keysOf(raw)['policies']).map((rule, at) => ({
      file,
      path: ['policies', at],
      rule: keysOf(rule),
    })),
  );
}

function findingsOfFile({ file, raw }: RawPolicyFile, tiers: readonly string[]): PolicyFinding[] {
  const { defaults, holds } = keysOf(raw);
  const places = [{ path: ['defaults'] as Path, rule: keysOf(defaults) }, ...rulesOf([{ file, raw }])];
  const findings = places.flatMap(({ path, rule }) => [
    ...notWorking(path, rule),
    ...badTransitions([...path, 'transitions'], rule['transitions'], tiers),
    ...tooYoungOrphans([...path, 'orphans', 'older_than'], keysOf(rule['orphans'])['older_than']),
  ]);
  if (holds !== undefined) findings.push(HOLDS);
  return findings.map((one) => ({ file, ...one }));
}

/** Keys that a later version will obey. Ignoring one in silence would let a steward believe that it works. */
const NOT_WORKING = ['retention', 'compaction', 'schedule'];

function notWorking(path: Path, rule: Keys): Omit<PolicyFinding, 'file'>[] {
  return NOT_WORKING.filter((key) => rule[key] !== undefined).map((key) => ({
    path: [...path, key],
    message: `"${key}" is valid, but this version does not act on it`,
    hint: `remove "${key}": nothing would be done`,
  }));
}

const HOLDS: Omit<PolicyFinding, 'file'> = {
  path: ['holds'],
  message: 'this version does not keep legal holds, and a hold that is not kept would be worse than none',
  hint: 'remove "holds", and give the held tables no transitions',
};

function tooYoungOrphans(path: Path, older: unknown): Omit<PolicyFinding, 'file'>[] {
  const age = spanOf(older);
  if (age === null || age >= durationMs(parseDuration(ORPHAN_FLOOR))) return [];
  const message = `"${String(older)}" is below the floor of ${ORPHAN_FLOOR}: younger files may belong to a commit under way`;
  return [{ path, message, hint: `write ${ORPHAN_FLOOR} or more` }];
}

function badTransitions(
  path: Path,
  transitions: unknown,
  tiers: readonly string[],
): Omit<PolicyFinding, 'file'>[] {
  const findings: Omit<PolicyFinding, 'file'>[] = [];
  let before = { rank: 0, name: tiers[0] ?? '', age: -1 };
  for (const [at, one] of listOf(transitions).entries()) {
    const { to, after } = keysOf(one);
    const rank = typeof to === 'string' ? tiers.indexOf(to) : -1;
    const age = spanOf(after);
    if (typeof to === 'string' && rank < 0) findings.push(unknownTier([...path, at, 'to'], to, tiers));
    if (rank >= 0 && rank <= before.rank) {
      const message = `the transition to "${String(to)}" does not lead to a colder tier than "${before.name}"`;
      const hint = `the tiers from hot to cold: ${tiers.join(', ')}; moving back up is no policy's work`;
      findings.push({ path: [...path, at, 'to'], message, hint });
    }
    if (age !== null && age <= before.age) {
      const message = `the transition to "${String(to)}" is not later than the one to "${before.name}"`;
      findings.push({ path: [...path, at, 'after'], message, hint: 'order transitions by age' });
    }
    if (typeof to === 'string' && rank >= before.rank) before = { ...before, rank, name: to };
    before = { ...before, age: Math.max(age ?? -1, before.age) };
  }
  return findings;
}

function unknownTier(path: Path, to: string, tiers: readonly string[]): Omit<PolicyFinding, 'file'> {
  const near = nearestName(to, tiers);
  const hint = near === null ? `the tiers are ${tiers.join(', ')}` : `did you mean "${near}"?`;
  return { path, message: `there is no tier "${to}"`, hint };
}

/** Defaults hold for every policy of the folder, so two files may not say two things about one key. */
function differingDefaults(files: readonly RawPolicyFile[]): PolicyFinding[] {
  const findings: PolicyFinding[] = [];
  const first = new Map<string, { readonly file: string; readonly said: string }>();
  for (const { file, raw } of files) {
    for (const [key, value] of Object.entries(keysOf(keysOf(raw)['defaults']))) {
      const said = JSON.stringify(value);
      const other = first.get(key);
      if (other === undefined) first.set(key, { file, said });
      else if (other.said !== said) {
        const message = `the default "${key}" is set differently in ${other.file}`;
        findings.push({ file, path: ['defaults', key], message, hint: 'keep it in one file of the folder' });
      }
    }
  }
  return findings;
}

function namesUsedTwice(files: readonly RawPolicyFile[]): PolicyFinding[] {
  const findings: PolicyFinding[] = [];
  const seen = new Map<string, string>();
  for (const { file, path, rule } of rulesOf(files)) {
    const { name } = rule;
    if (typeof name !== 'string') continue;
    const other = seen.get(name);
    if (other === undefined) seen.set(name, file);
    else {
      const message = `the policy name "${name}" is used twice (also in ${other})`;
      findings.push({ file, path: [...path, 'name'], message, hint: 'give each policy a name of its own' });
    }
  }
  return findings;
}
