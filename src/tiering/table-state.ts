import type { LoadedTable } from '../catalog-client/catalog.ts';
import { type Tier, tierOf } from '../config.ts';
import { currentSchema, defaultSpec } from '../iceberg/table-metadata.ts';
import { ageColumn, columnEndMs } from '../policy/column-age.ts';
import type { Holding, TableState } from '../policy/evaluate.ts';
import type { MatchedTable } from '../policy/match.ts';
import { isAged, partitionEndMs } from '../policy/partition-age.ts';
import type { AgeRule } from '../policy/policy-set.ts';
import { tableName } from '../table/table.ts';
import { type CommitTimes, firstCommitMs } from './commit-times.ts';
import { partitionOf } from './relocation-plan.ts';
import { pinsOf } from './restore-pins.ts';
import type { LiveFile } from './table-history.ts';

const TAG_PREFIX = 'lake.tag.';

export interface StateOptions {
  readonly tiers: readonly Tier[];
  /** The lake's time zone. */
  readonly timezone: string;
  /** How the governing policy ages the table. */
  readonly age: AgeRule;
  readonly times: CommitTimes;
  /** Files of unpartitioned tables each by itself: they move one by one, unless their partitions tell the age. */
  readonly eachFile?: boolean;
}

/** Age of one file, or why it is not known. */
type FileAge = { readonly endMs: number } | { readonly unknown: string };

/** A holding that files are added to. */
interface Group {
  readonly partition: string;
  readonly tier: string;
  files: number;
  bytes: number;
  records: number;
  age: FileAge;
  readonly paths: string[];
}

/** What `match` looks at. */
export function matchedTable({
  identifier,
  metadata,
}: Pick<LoadedTable, 'identifier' | 'metadata'>): MatchedTable {
  return { table: tableName(identifier), tags: tagsOf(metadata.properties) };
}

/** Tags for `match.tags` stand in table properties `lake.tag.<key>`. */
export function tagsOf(properties: Readonly<Record<string, string>>): Record<string, string> {
  const tags = Object.entries(properties).filter(([key]) => key.startsWith(TAG_PREFIX));
  return Object.fromEntries(tags.map(([key, value]) => [key.slice(TAG_PREFIX.length), value]));
}

/** What policies look at in a table, from the data files given: what each partition has in each tier. Pure. */
export function tableState(table: LoadedTable, files: Iterable<LiveFile>, options: StateOptions): TableState {
  const { metadata } = table;
  const { tiers, age } = options;
  const ager = fileAger(table, options);
  const groups = new Map<string, Group>();
  const byPartition = new Map<string, FileAge>();
  for (const live of files) {
    const tier = tierOf(tiers, live.file.filePath).name;
    const partition = partitionOf(live, metadata);
    const aged = 'why' in ager ? { unknown: ager.why } : ager.ageOf(live, partition);
    byPartition.set(partition, youngest(byPartition.get(partition), aged));
    const alone = options.eachFile === true && age.by !== 'partition' && live.file.partition.length === 0;
    const key = JSON.stringify(alone ? [live.file.filePath] : [partition, tier]);
    const group = groups.get(key) ?? {
      partition,
      tier,
      files: 0,
      bytes: 0,
      records: 0,
      age: aged,
      paths: [],
    };
    groups.set(key, group);
    group.files += 1;
    group.bytes += live.file.fileSizeInBytes;
    group.records += live.file.recordCount;
    group.age = youngest(group.age, aged);
    group.paths.push(live.file.filePath);
  }
  const holdings = [...groups.values()].map((group) => {
    // A column's time tells the partition as a whole, whatever tier its files lie in.
    const whole =
      group.partition === '' || age.by !== 'column' ? undefined : byPartition.get(group.partition);
    return holdingOf(whole === undefined ? group : { ...group, age: whole });
  });
  return {
    ...matchedTable(table),
    cannotAge: 'why' in ager ? ager.why : noneAged(holdings),
    pins: pinsOf(metadata),
    holdings: holdings.sort((a, b) => compare(a.partition, b.partition) || rank(tiers, a) - rank(tiers, b)),
  };
}

function fileAger(
  { metadata }: LoadedTable,
  { age, timezone, times }: StateOptions,
): { readonly why: string } | { ageOf(live: LiveFile, partition: string): FileAge } {
  if (age.by === 'commit') return { ageOf: (live, at) => ({ endMs: firstCommitMs(times, live, at) }) };
  const schema = currentSchema(metadata);
  if (age.by === 'column') {
    const column = ageColumn(schema, age.column);
    if ('why' in column) return column;
    const unknown = `a file has no upper bound of "${column.name}" in its metrics, so that its age is not known`;
    return { ageOf: ({ file }) => known(columnEndMs(column, file, timezone), unknown) };
  }
  if (!isAged(defaultSpec(metadata), schema)) return { why: 'its partitions tell no time' };
  const unknown = 'the partition tells no time';
  return {
    ageOf: ({ spec, schema: written, file }) =>
      known(partitionEndMs(spec, written, file.partition, timezone), unknown),
  };
}

function known(endMs: number | null, unknown: string): FileAge {
  return endMs === null ? { unknown } : { endMs };
}

/** Data of a column that no file has a bound of would stay for ever, in silence. */
function noneAged(holdings: readonly Holding[]): string | null {
  if (holdings.length === 0 || holdings.some(({ endMs }) => endMs !== null)) return null;
  const reasons = new Set(holdings.map(({ unknown }) => unknown));
  return reasons.has('the partition tells no time') ? null : ([...reasons][0] ?? null);
}

/** The later of two; one that is not known decides. */
function youngest(one: FileAge | undefined, other: FileAge): FileAge {
  if (one === undefined || 'unknown' in other) return other;
  return 'unknown' in one || one.endMs >= other.endMs ? one : other;
}

function ageKeys(age: FileAge): Pick<Holding, 'endMs' | 'unknown'> {
  return 'unknown' in age ? { endMs: null, unknown: age.unknown } : { endMs: age.endMs };
}

function holdingOf({ age, ...group }: Group): Holding {
  return { ...group, ...ageKeys(age) };
}

function rank(tiers: readonly Tier[], holding: Holding): number {
  return tiers.findIndex((tier) => tier.name === holding.tier);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
