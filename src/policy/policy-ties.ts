import { matchesTable } from './match.ts';
import { type PolicyMatch, policyMatchSchema } from './policy-file.ts';
import type { PolicyFinding, RawRule } from './raw-policy.ts';

interface Candidate {
  readonly from: RawRule;
  readonly name: string;
  readonly priority: number;
  readonly match: PolicyMatch;
}

/**
 * Ties that hold whatever tables there are: two policies of one priority that match alike, or that both match a table which
 * one of them names in full, while no higher policy may match it. Other ties show where a table is matched. Pure.
 */
export function certainTies(rules: readonly RawRule[]): PolicyFinding[] {
  const candidates = rules.flatMap(candidateOf);
  const findings: PolicyFinding[] = [];
  for (const [at, one] of candidates.entries()) {
    for (const other of candidates.slice(0, at)) {
      // A name used twice is a problem of its own.
      if (other.priority !== one.priority || other.name === one.name) continue;
      const higher = candidates.filter(({ priority }) => priority > one.priority);
      const what = tiedOn(one, other, higher);
      if (what === null) continue;
      findings.push({
        file: one.from.file,
        path: [...one.from.path, 'match'],
        message: `"${one.name}" and "${other.name}" (${other.from.file}), both of priority ${one.priority}, match ${what}`,
        hint: 'give one of them a higher priority, or exclude the table from one',
      });
    }
  }
  return findings;
}

function candidateOf(from: RawRule): Candidate[] {
  const { name, priority = 0, match } = from.rule;
  const parsed = policyMatchSchema.safeParse(match);
  if (!parsed.success || typeof name !== 'string' || typeof priority !== 'number') return [];
  return [{ from, name, priority, match: parsed.data }];
}

function tiedOn(one: Candidate, other: Candidate, higher: readonly Candidate[]): string | null {
  if (canonical(one.match) === canonical(other.match) && higher.length === 0) return 'the same tables';
  if (canonical(one.match.tags) !== canonical(other.match.tags)) return null;
  const named = [one, other].flatMap(({ match }) => [match.tables ?? []].flat());
  const table = named.find(
    (name) =>
      !/[*?]/.test(name) &&
      [one, other].every(({ match }) => mayMatch(match, name)) &&
      !higher.some(({ match }) => mayMatch(match, name)),
  );
  return table ?? null;
}

/** Tags stand at the tables and are not known here. */
function mayMatch({ tags: _unknown, ...match }: PolicyMatch, table: string): boolean {
  return matchesTable(match, { table, tags: {} });
}

function canonical(value: unknown): string {
  return (
    JSON.stringify(value, (_key, inner: unknown) =>
      typeof inner === 'object' && inner !== null && !Array.isArray(inner)
        ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
        : inner,
    ) ?? ''
  );
}
