import type { LoadedTable, TableIdentifier } from '../catalog-client/catalog.ts';
import { listEveryTable, tableNames } from '../catalog-client/listed-table.ts';
import { isKind, LakeError } from '../errors.ts';
import { inParallel } from '../in-parallel.ts';
import { loadModels } from '../pipeline/load-models.ts';
import { type Backlog, backlogOf } from '../policy/backlog.ts';
import { governingPolicy, type MatchedTable, matchesTable } from '../policy/match.ts';
import type { Policy, PolicySet } from '../policy/policy-set.ts';
import type { Lake } from '../project/open-lake.ts';
import { tableName } from '../table/table.ts';
import { readPolicies } from '../tiering/policy-files.ts';
import { readStanding } from '../tiering/standing-table.ts';
import { matchedTable } from '../tiering/table-state.ts';
import { type FailingChecks, failingChecks, type StandingChecks, standingChecks } from './check-facts.ts';
import { type FreshnessRule, freshnessRules, maxAgeMs } from './freshness.ts';
import { NO_RUNS, type RunFacts, type RunSums, readRunFacts } from './run-facts.ts';
import { readTableFacts, type TableFacts } from './table-facts.ts';

/** What of a lake can be read or not, each by itself. */
export const PARTS = ['policies', 'models', 'tables', 'runs', 'orphans'] as const;
export type Part = (typeof PARTS)[number];

/** A column that a freshness check looks at. */
export interface Freshness {
  readonly column: string;
  /** How old the newest value is; infinite for a table without rows, null where no file has a bound. */
  readonly ageMs: number | null;
  readonly limitMs: number;
}

/** A table, read by its policy at a moment. */
export interface ObservedTable extends TableFacts {
  readonly table: string;
  readonly policy: string | null;
  /** True if its policy has transitions. */
  readonly isMoved: boolean;
  readonly backlog: readonly Backlog[];
  readonly freshness: readonly Freshness[];
}

export interface LakeFacts {
  /** The policy's clock, ms since 1970. */
  readonly nowMs: number;
  readonly tables: readonly ObservedTable[];
  /** Every policy, and whether it cannot be evaluated for a table that it matches. */
  readonly policies: ReadonlyMap<string, { readonly isFailing: boolean }>;
  readonly runs: readonly RunSums[];
  readonly checks: readonly FailingChecks[];
  /** What could not be read, in words; what was known before stands in for it. */
  readonly problems: ReadonlyMap<Part, readonly string[]>;
}

interface KnownTable extends MatchedTable {
  readonly key: string;
  readonly facts: TableFacts;
}

interface Place extends TableIdentifier {
  /** Absent where the catalog is not ours: then the table has to be loaded to know. */
  readonly 'table-uuid'?: string;
  readonly 'metadata-location'?: string;
}

const READ_AT_ONCE = 2;

/** Reads a lake again and again: a table that has not changed since costs nothing but its line in the catalog's list. */
export class LakeReader {
  readonly #lake: Lake;
  #known = new Map<string, KnownTable>();
  #policies: PolicySet = { policies: [], tiers: [] };
  #rules: ReadonlyMap<string, readonly FreshnessRule[]> = new Map();
  #checks: StandingChecks = null;
  #runs: { readonly key: string; readonly facts: RunFacts } = { key: '', facts: NO_RUNS };

  constructor(lake: Lake) {
    this.#lake = lake;
  }

  /**
   * @param nowMs the policy's clock
   * @throws LakeError where the catalog does not answer
   */
  async read(nowMs: number): Promise<LakeFacts> {
    const problems = new Map<Part, string[]>();
    const tell = (part: Part, error: unknown): void => {
      if (!(error instanceof LakeError)) throw error;
      const { where = '', message } = error;
      problems.set(part, [...(problems.get(part) ?? []), where === '' ? message : `${where}: ${message}`]);
    };
    const { config } = this.#lake;
    this.#policies = await readPolicies(config).catch((error: unknown) => {
      tell('policies', error);
      return this.#policies;
    });
    await this.#readModels().catch((error: unknown) => tell('models', error));
    const places = await this.#places();
    const known = await inParallel(places, READ_AT_ONCE, (place) =>
      this.#table(place).catch((error: unknown) => {
        tell('tables', error);
        return this.#known.get(tableName(place)) ?? null;
      }),
    );
    this.#known = new Map(known.flatMap((one) => (one === null ? [] : [[one.table, one]])));
    await this.#readRuns(places, known).catch((error: unknown) => tell('runs', error));
    const failing = new Set<string>();
    const observe = (one: KnownTable) => this.#observed(one, nowMs, failing, tell);
    const tables = [...this.#known.values()].map(observe);
    const policies = this.#policies.policies.map(({ name }) => name);
    return {
      nowMs,
      tables,
      policies: new Map(policies.map((name) => [name, { isFailing: failing.has(name) }])),
      runs: this.#runs.facts.runs,
      checks: failingChecks(this.#runs.facts.checks, this.#checks),
      problems,
    };
  }

  async #readModels(): Promise<void> {
    const { modelsFolder, root } = this.#lake.config;
    const models = await loadModels(modelsFolder, root);
    this.#rules = freshnessRules(models);
    this.#checks = standingChecks(models);
  }

  async #places(): Promise<readonly Place[]> {
    try {
      return await listEveryTable(this.#lake.catalog);
    } catch (error) {
      if (!isKind(error, 'unsupported')) throw error;
      return tableNames(this.#lake.catalog);
    }
  }

  /** Null for a table that is gone meanwhile. */
  async #table(place: Place): Promise<KnownTable | null> {
    const name = tableName(place);
    const before = this.#known.get(name);
    if (before !== undefined && before.key === this.#keyOf(before, place)) return before;
    const loaded = await this.#lake.catalog.loadTable(place).catch((error: unknown) => {
      if (isKind(error, 'not-found')) return null;
      throw error;
    });
    if (loaded === null) return null;
    const matched = matchedTable(loaded);
    const key = this.#keyOf(matched, placeOf(loaded));
    if (before?.key === key) return before;
    const policy = this.#policyOf(matched);
    const { table, value: facts } = await readStanding(this.#lake, loaded, (standing) =>
      readTableFacts(this.#lake, standing, policy, this.#rulesOf(name)),
    );
    const read = matchedTable(table);
    return { ...read, key: this.#keyOf(read, placeOf(table)), facts };
  }

  /** Changes with all that a table's facts depend on. */
  #keyOf(matched: MatchedTable, place: Place): string {
    const policy = this.#policyOf(matched);
    const { 'table-uuid': uuid, 'metadata-location': location } = place;
    return JSON.stringify([uuid, location, policy?.age, this.#rulesOf(matched.table)]);
  }

  #rulesOf(table: string): readonly FreshnessRule[] {
    return this.#rules.get(table) ?? [];
  }

  /** Null where none governs the table, and where two tie, which `tied` is told. */
  #policyOf(matched: MatchedTable, tied: (error: LakeError) => void = () => {}): Policy | null {
    try {
      return governingPolicy(this.#policies, matched);
    } catch (error) {
      if (!isKind(error, 'invalid-file')) throw error;
      tied(error);
      return null;
    }
  }

  #observed(
    { table, tags, facts }: KnownTable,
    nowMs: number,
    failing: Set<string>,
    tell: (part: Part, error: unknown) => void,
  ): ObservedTable {
    const matched = { table, tags };
    const policy = this.#policyOf(matched, (error) => {
      tell('policies', error);
      for (const one of tied(this.#policies, matched)) failing.add(one);
    });
    const isMoved = policy !== null && policy.transitions.length > 0;
    if (isMoved && facts.state.cannotAge !== null) failing.add(policy.name);
    const ages = isMoved && facts.state.cannotAge === null;
    return {
      ...facts,
      table,
      policy: policy?.name ?? null,
      isMoved,
      backlog: ages ? backlogOf(this.#policies, policy, facts.state, nowMs) : [],
      freshness: this.#freshnessOf(table, facts, nowMs, tell),
    };
  }

  #freshnessOf(
    table: string,
    { newest, rows }: TableFacts,
    nowMs: number,
    tell: (part: Part, error: unknown) => void,
  ): readonly Freshness[] {
    return this.#rulesOf(table).flatMap((rule) => {
      try {
        const at = newest.get(rule.column) ?? null;
        // As the check has it, an empty table is too old.
        const ageMs = at === null ? (rows === 0 ? Infinity : null) : nowMs - at;
        return [{ column: rule.column, ageMs, limitMs: maxAgeMs(rule, nowMs) }];
      } catch (error) {
        tell('models', error);
        return [];
      }
    });
  }

  async #readRuns(places: readonly Place[], known: readonly (KnownTable | null)[]): Promise<void> {
    const keyOf = (name: string) => {
      const at = places.findIndex((place) => tableName(place) === `lake_system.${name}`);
      return at < 0 ? undefined : (known[at]?.key ?? 'unread');
    };
    const [runs, checks] = [keyOf('runs'), keyOf('checks')];
    const key = JSON.stringify([runs, checks]);
    if (key === this.#runs.key) return;
    const there = { runs: runs !== undefined, checks: checks !== undefined };
    this.#runs = { key, facts: await readRunFacts(this.#lake, there) };
  }
}

function placeOf({ identifier, metadata, metadataLocation }: LoadedTable): Place {
  const place = { ...identifier, 'table-uuid': metadata['table-uuid'] };
  return metadataLocation === undefined ? place : { ...place, 'metadata-location': metadataLocation };
}

/** The policies of the highest priority that match a table. */
function tied({ policies }: PolicySet, matched: MatchedTable): string[] {
  const matching = policies.filter(({ match }) => matchesTable(match, matched));
  const highest = Math.max(...matching.map(({ priority }) => priority));
  return matching.filter(({ priority }) => priority === highest).map(({ name }) => name);
}
