import { Counter, Gauge, Registry } from 'prom-client';
import { type LakeFacts, type ObservedTable, PARTS } from './lake-facts.ts';
import type { OrphanFacts } from './orphan-facts.ts';

const PREFIX = 'lakewarden_';
/** Stands for all tables that are not named, as there are too many. */
export const OTHER_TABLES = '(other)';

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [labels: Labels, value: number];
/** What becomes of tables that are shown as one. */
type Merge = (one: number, other: number) => number;
const sum: Merge = (one, other) => one + other;

/** Gauges of one lake in Prometheus' form; docs/monitoring.md says what each means. Tables are named up to a limit. */
export class LakeMetrics {
  readonly registry = new Registry();
  readonly #mostTables: number;
  readonly #gauges = new Map<string, Gauge>();
  readonly #counters = new Map<string, Counter>();

  /** @param mostTables how many tables are named, the first by name; the rest are shown as one */
  constructor(mostTables: number) {
    this.#mostTables = mostTables;
  }

  /** Shows what was read, in place of what was shown before. */
  show(facts: LakeFacts, collected: { readonly atMs: number; readonly seconds: number }): void {
    const labelOf = tableLabels(
      facts.tables.map(({ table }) => table),
      this.#mostTables,
    );
    this.#showTables(facts.tables, labelOf);
    this.#showMoves(facts, labelOf);
    this.#showRuns(facts, labelOf);
    this.#gauge('collection_problems', 'Things that could not be read; what was known before is shown.', [
      ...PARTS.filter((part) => part !== 'orphans').map(
        (part): Sample => [{ part }, facts.problems.get(part)?.length ?? 0],
      ),
    ]);
    this.#gauge('collection_timestamp_seconds', 'When all of this but the orphans was read.', [
      [{}, collected.atMs / 1000],
    ]);
    this.#gauge('collection_duration_seconds', 'How long reading it took.', [[{}, collected.seconds]]);
    this.#gauge('policy_clock_seconds', "The policy's clock, that ages and freshness count to.", [
      [{}, facts.nowMs / 1000],
    ]);
  }

  /** Shows what was counted last. */
  showOrphans({ tables, strays, refused, countedMs }: OrphanFacts): void {
    const labelOf = tableLabels(
      tables.map(({ table }) => table),
      this.#mostTables,
    );
    const each = (of: (one: OrphanFacts['tables'][number]) => number): Sample[] =>
      tables.map((one) => [{ table: labelOf(one.table) }, of(one)]);
    this.#gauge(
      'orphan_objects',
      "Objects in a table's folders that nothing names, and old enough to go.",
      each(({ objects }) => objects),
    );
    this.#gauge(
      'orphan_bytes',
      'Their size.',
      each(({ bytes }) => bytes),
    );
    this.#gauge('stray_objects', 'Objects below the tiers in folders of no table.', [[{}, strays.objects]]);
    this.#gauge('stray_bytes', 'Their size.', [[{}, strays.bytes]]);
    this.#gauge('orphan_refused_tables', 'Tables whose orphans cannot be told.', [[{}, refused]]);
    this.#gauge('orphan_count_timestamp_seconds', 'When the orphans were counted.', [[{}, countedMs / 1000]]);
  }

  #showTables(tables: readonly ObservedTable[], labelOf: (table: string) => string): void {
    const tiers = (of: (size: { objects: number; bytes: number }) => number): Sample[] =>
      tables.flatMap(({ table, tiers }) =>
        [...tiers].map(([tier, size]): Sample => [{ table: labelOf(table), tier }, of(size)]),
      );
    this.#gauge(
      'tier_bytes',
      "Size of the data files of tables' current state.",
      tiers(({ bytes }) => bytes),
    );
    this.#gauge(
      'tier_objects',
      "Data files of tables' current state.",
      tiers(({ objects }) => objects),
    );
    const each = (of: (table: ObservedTable) => number | null): Sample[] =>
      tables.flatMap((one) => {
        const value = of(one);
        return value === null ? [] : [[{ table: labelOf(one.table) }, value]];
      });
    this.#gauge(
      'table_rows',
      'Rows: those in data files less those that position deletes name.',
      each(({ rows }) => rows),
    );
    this.#gauge(
      'table_last_change_timestamp_seconds',
      'The last commit to main that was no move.',
      each(({ lastChangeMs }) => (lastChangeMs === null ? null : lastChangeMs / 1000)),
      Math.max,
    );
    const freshness = (of: (one: ObservedTable['freshness'][number]) => number | null): Sample[] =>
      tables.flatMap(({ table, freshness }) =>
        freshness.flatMap((one): Sample[] => {
          const value = of(one);
          return value === null ? [] : [[{ table: labelOf(table), column: one.column }, value / 1000]];
        }),
      );
    this.#gauge(
      'freshness_age_seconds',
      'How old the newest value is of a column that has a freshness check.',
      freshness(({ ageMs }) => ageMs),
      Math.max,
    );
    this.#gauge(
      'freshness_limit_seconds',
      'How old the check lets it become.',
      freshness(({ limitMs }) => limitMs),
      Math.min,
    );
  }

  #showMoves({ tables, policies, nowMs }: LakeFacts, labelOf: (table: string) => string): void {
    const planned = (of: (way: ObservedTable['backlog'][number]) => number): Sample[] =>
      tables
        .filter(({ blocked }) => blocked === null)
        .flatMap(({ table, policy, backlog }) =>
          backlog.map((way): Sample => {
            const { from, to } = way;
            return [{ table: labelOf(table), policy: policy ?? '', from, to }, of(way)];
          }),
        );
    this.#gauge(
      'planned_move_partitions',
      'Partitions that the policies want moved now.',
      planned((way) => way.partitions),
    );
    this.#gauge(
      'planned_move_objects',
      'Data files that the policies want moved now.',
      planned(({ files }) => files),
    );
    this.#gauge(
      'planned_move_bytes',
      'Size of the data files that the policies want moved now.',
      planned(({ bytes }) => bytes),
    );
    const moved = tables.filter(({ isMoved }) => isMoved);
    this.#gauge(
      'oldest_unmoved_seconds',
      'How long the partition that waits longest has been due to move by its policy; 0 if none is due.',
      moved.map(({ table, policy, backlog }) => {
        const since = Math.min(nowMs, ...backlog.map(({ dueSinceMs }) => dueSinceMs));
        return [{ table: labelOf(table), policy: policy ?? '' }, (nowMs - since) / 1000];
      }),
      Math.max,
    );
    this.#gauge(
      'table_move_blocked',
      '1 where the policy wants to move files of a table that cannot be moved.',
      moved.map(({ table, blocked, backlog }) => [
        { table: labelOf(table) },
        Number(blocked !== null && backlog.length > 0),
      ]),
    );
    this.#gauge(
      'policy_failing',
      '1 where a policy ties with another one, or cannot age a table that it matches.',
      [...policies].map(([policy, { isFailing }]) => [{ policy }, Number(isFailing)]),
    );
    this.#gauge(
      'policy_tables',
      'Tables that a policy governs.',
      [...policies.keys()].map((policy) => [
        { policy },
        tables.filter((table) => table.policy === policy).length,
      ]),
    );
  }

  #showRuns({ runs, checks }: LakeFacts, labelOf: (table: string) => string): void {
    const each = (of: (one: LakeFacts['runs'][number]) => number): Sample[] =>
      runs.map((one) => [{ command: one.command, status: one.status }, of(one)]);
    this.#counter(
      'runs_total',
      'Runs in lake_system.runs.',
      each((one) => one.runs),
    );
    this.#counter(
      'run_rows_total',
      'Rows that they wrote.',
      each(({ rows }) => rows),
    );
    this.#counter(
      'run_seconds_total',
      'Time that they took.',
      each(({ seconds }) => seconds),
    );
    this.#gauge(
      'run_last_timestamp_seconds',
      'When the last run ended.',
      each(({ lastEnded }) => lastEnded),
    );
    this.#gauge(
      'run_last_duration_seconds',
      'How long the last run took.',
      each(({ lastSeconds }) => lastSeconds),
    );
    this.#gauge(
      'checks_failing',
      "Quality checks of the models' files that failed when they were run last.",
      checks.map(({ model, severity, failing }) => [{ table: labelOf(model), severity }, failing]),
    );
  }

  #gauge(name: string, help: string, samples: readonly Sample[], merge: Merge = sum): void {
    const labelNames = Object.keys(samples[0]?.[0] ?? {});
    const known = this.#gauges.get(name);
    // Without a sample it is not known which labels there are.
    if (known === undefined && samples.length === 0) return;
    const gauge = known ?? new Gauge({ name: PREFIX + name, help, labelNames, registers: [this.registry] });
    this.#gauges.set(name, gauge);
    gauge.reset();
    for (const [labels, value] of merged(samples, merge)) gauge.set(labels, value);
  }

  #counter(name: string, help: string, samples: readonly Sample[]): void {
    const labelNames = Object.keys(samples[0]?.[0] ?? {});
    const known = this.#counters.get(name);
    if (known === undefined && samples.length === 0) return;
    const counter =
      known ?? new Counter({ name: PREFIX + name, help, labelNames, registers: [this.registry] });
    this.#counters.set(name, counter);
    counter.reset();
    for (const [labels, value] of merged(samples, sum)) counter.inc(labels, value);
  }
}

function merged(samples: readonly Sample[], merge: Merge): Iterable<Sample> {
  const byLabels = new Map<string, Sample>();
  for (const [labels, value] of samples) {
    const key = JSON.stringify(labels);
    const other = byLabels.get(key);
    byLabels.set(key, [labels, other === undefined ? value : merge(other[1], value)]);
  }
  return byLabels.values();
}

/** The label of each table: its name, or one for all that come after the first `most` by name. */
function tableLabels(tables: readonly string[], most: number): (table: string) => string {
  if (tables.length <= most) return (table) => table;
  const named = new Set([...tables].sort().slice(0, most));
  return (table) => (named.has(table) ? table : OTHER_TABLES);
}
