import type { LoadedTable } from '../catalog-client/catalog.ts';
import { tierOf } from '../config.ts';
import { LakeError } from '../errors.ts';
import { nearestName } from '../iceberg/nearest-name.ts';
import type { PlannedMove } from '../policy/evaluate.ts';
import { tableName } from '../table/table.ts';
import type { BringBack } from './bring-back.ts';
import { isChosen, type PartitionChoice } from './partition-choice.ts';
import { partitionOf } from './relocation-plan.ts';
import { historyOf, type LiveFile, liveDataFiles } from './table-history.ts';
import type { TieredLake } from './tiering-context.ts';

export interface RestoreRequest {
  readonly table: LoadedTable;
  readonly partitions: PartitionChoice;
  /** The tier to bring them to. */
  readonly to: string;
  readonly graceMs: number;
}

/** What a restore would do. */
export interface RestorePlan extends BringBack {
  /** Chosen partitions with files that lie in this tier, or a hotter one, already. */
  readonly there: readonly string[];
}

/**
 * The moves that bring the chosen partitions to a hotter tier: all their data files in colder ones, of all retained snapshots. Reads only.
 *
 * @throws LakeError `not-found` where no partition is chosen, `usage` for an unknown tier, `unsupported` (format) later on
 */
export async function planRestore(lake: TieredLake, request: RestoreRequest): Promise<RestorePlan> {
  const { table, partitions: choice, graceMs } = request;
  const { tiers } = lake.config;
  const names = tiers.map((tier) => tier.name);
  if (!names.includes(request.to)) throw unknownTier(request.to, names);
  const live = await liveDataFiles(lake.objects, await historyOf(lake.objects, table));
  const all = new Set<string>();
  const there = new Set<string>();
  const colder: { readonly partition: string; readonly tier: string; readonly file: LiveFile }[] = [];
  for (const file of live.values()) {
    const partition = partitionOf(file, table.metadata);
    all.add(partition);
    if (!isChosen(choice, partition)) continue;
    const tier = tierOf(tiers, file.file.filePath).name;
    if (names.indexOf(tier) > names.indexOf(request.to)) colder.push({ partition, tier, file });
    else there.add(partition);
  }
  if (colder.length === 0 && there.size === 0) throw noPartition(table, choice, all);
  const text = `restore ${choice.text} to ${request.to}`;
  const moves = movesOf(tableName(table.identifier), colder, () => request.to, text);
  return {
    table,
    moves,
    graceMs,
    reason: { command: 'restore', text },
    pinned: [...new Set(moves.map((move) => move.partition))],
    there: [...there],
  };
}

/** Moves of single files, by partition and way. Pure. */
export function movesOf(
  table: string,
  files: Iterable<{ readonly partition: string; readonly tier: string; readonly file: LiveFile }>,
  target: (path: string) => string,
  reason: string,
): PlannedMove[] {
  const moves = new Map<string, { move: Omit<PlannedMove, 'paths'>; paths: string[]; bytes: number }>();
  for (const { partition, tier, file } of files) {
    const { filePath, fileSizeInBytes } = file.file;
    const to = target(filePath);
    const key = JSON.stringify([partition, tier, to]);
    const made = { table, partition, from: tier, to, files: 0, bytes: 0, reason };
    const found = moves.get(key) ?? { move: made, paths: [], bytes: 0 };
    moves.set(key, found);
    found.paths.push(filePath);
    found.bytes += fileSizeInBytes;
  }
  return [...moves.values()]
    .map(({ move, paths, bytes }) => ({ ...move, files: paths.length, bytes, paths }))
    .sort((a, b) => (a.partition < b.partition ? -1 : 1));
}

function unknownTier(name: string, names: readonly string[]): LakeError {
  const near = nearestName(name, names);
  const hint = near === null ? `the tiers are ${names.join(', ')}` : `did you mean "${near}"?`;
  return new LakeError('usage', `there is no tier "${name}"`, { hint });
}

function noPartition(table: LoadedTable, choice: PartitionChoice, all: ReadonlySet<string>): LakeError {
  const sorted = [...all].sort();
  const what =
    sorted.length === 0
      ? 'the table has no data'
      : `its partitions go from ${sorted[0] || '(unpartitioned)'} to ${sorted.at(-1) || '(unpartitioned)'}`;
  const whole = all.has('') ? '; for the whole table write --partitions "*"' : '';
  return new LakeError('not-found', `${tableName(table.identifier)} has no partition ${choice.text}`, {
    hint: `${what}${whole}; nothing was done`,
  });
}
