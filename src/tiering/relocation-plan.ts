import type { Tier } from '../config.ts';
import { tierOf } from '../config.ts';
import { LakeError } from '../errors.ts';
import { partitionText } from '../iceberg/partition-spec.ts';
import type { TableMetadata } from '../iceberg/table-metadata.ts';
import type { PlannedMove } from '../policy/evaluate.ts';
import type { JournaledMove, JournaledWay } from './journal.ts';
import { FOREIGN_FILE } from './movable.ts';
import { relocatedPath, type TablePlaces } from './relocation-paths.ts';
import type { LiveFile } from './table-history.ts';

/** The text of a live file's partition, as plans and reports show it. */
export function partitionOf(live: LiveFile, metadata: TableMetadata): string {
  const schema =
    metadata.schemas.find((one) => one['schema-id'] === metadata['current-schema-id']) ?? live.schema;
  return partitionText(live.spec, schema, live.file.partition);
}

/** What a plan's moves of one table come to. */
export interface FileMoves {
  readonly planned: readonly JournaledMove[];
  /** Planned files that no retained snapshot reads under their path any more, with the tier they were to go to. */
  readonly gone: readonly { readonly path: string; readonly to: string; readonly partition: string }[];
}

/**
 * The files that a plan's moves name, each with a new path that nothing else has. Files that came since are no part of it. Pure.
 *
 * @param live the data files of all retained snapshots, by path
 * @param moves the plan's moves of this table
 * @throws LakeError `stale-plan` where a file lies in another tier than the plan says, or in none of the table's folders, or a tier is not
 *   there any more
 */
export function planFileMoves(
  live: ReadonlyMap<string, LiveFile>,
  moves: readonly PlannedMove[],
  places: TablePlaces,
  tiers: readonly Tier[],
  relocationId: string,
): FileMoves {
  const taken = new Set<string>();
  const planned: JournaledMove[] = [];
  const gone: { path: string; to: string; partition: string }[] = [];
  for (const { table, partition, from, to: tier, paths } of moves) {
    const target = tierNamed(tiers, tier);
    for (const path of paths) {
      const found = live.get(path);
      if (found === undefined) gone.push({ path, to: tier, partition });
      if (found === undefined) continue;
      if (!places.isOwn(path)) throw foreign(table, path);
      const now = tierOf(tiers, path).name;
      if (now !== from) throw elsewhere(table, path, { from, now });
      const to = unused(taken, relocatedPath(path, places, tiers, target, relocationId));
      const size = found.file.fileSizeInBytes;
      planned.push({ from: path, to, kind: 'data', size, 'from-tier': from, 'to-tier': target.name });
    }
  }
  return { planned, gone };
}

/** The moves by way, with how many partitions go it and between which texts they lie: what the journal keeps of a plan. Pure. */
export function summaryOf(moves: readonly PlannedMove[], paths: ReadonlySet<string>): JournaledWay[] {
  const ways = new Map<string, JournaledWay & { readonly seen: Set<string> }>();
  for (const { from, to, partition, ...move } of moves) {
    const files = move.paths.filter((path) => paths.has(path)).length;
    if (files === 0) continue;
    const key = JSON.stringify([from, to]);
    const way = ways.get(key) ?? {
      from,
      to,
      files: 0,
      partitions: 0,
      first: partition,
      last: partition,
      seen: new Set(),
    };
    way.seen.add(partition);
    ways.set(key, {
      ...way,
      files: way.files + files,
      partitions: way.seen.size,
      first: [partition, way.first].sort()[0]!,
      last: [partition, way.last].sort()[1]!,
    });
  }
  return [...ways.values()].map(({ seen: _seen, ...way }) => way);
}

function foreign(table: string, path: string): LakeError {
  return new LakeError('stale-plan', `${path} ${FOREIGN_FILE} and is not moved`, {
    where: table,
    hint: 'make a new plan with: lake tier plan; nothing of this table was moved',
  });
}

function elsewhere(table: string, path: string, tier: { from: string; now: string }): LakeError {
  return new LakeError('stale-plan', `${path} lies in ${tier.now}, the plan says ${tier.from}`, {
    where: table,
    hint: 'make a new plan with: lake tier plan; nothing of this table was moved',
  });
}

function tierNamed(tiers: readonly Tier[], name: string): Tier {
  const tier = tiers.find((one) => one.name === name);
  if (tier !== undefined) return tier;
  const known = tiers.map((one) => one.name).join(', ');
  throw new LakeError('stale-plan', `the plan names a tier "${name}" that lake.yaml does not have`, {
    hint: `the tiers are ${known}; make a new plan with: lake tier plan`,
  });
}

/** Two files of one name from two old places must not meet at one new path. */
function unused(taken: Set<string>, path: string): string {
  const cut = path.lastIndexOf('/');
  let free = path;
  for (let at = 1; taken.has(free); at++) free = `${path.slice(0, cut)}/${at}${path.slice(cut)}`;
  taken.add(free);
  return free;
}
