import type { Tier } from '../config.ts';
import { tierOf } from '../config.ts';
import { LakeError } from '../errors.ts';
import { partitionText } from '../iceberg/partition-spec.ts';
import type { TableMetadata } from '../iceberg/table-metadata.ts';
import type { PlannedMove } from '../policy/evaluate.ts';
import type { JournaledMove } from './journal.ts';
import { relocatedPath, type TablePlaces } from './relocation-paths.ts';
import type { LiveFile } from './table-history.ts';

/** The text of a live file's partition, as plans and reports show it. */
export function partitionOf(live: LiveFile, metadata: TableMetadata): string {
  const schema =
    metadata.schemas.find((one) => one['schema-id'] === metadata['current-schema-id']) ?? live.schema;
  return partitionText(live.spec, schema, live.file.partition);
}

/**
 * The files of a table that a plan's moves name, each with a new path that nothing else has. Pure.
 *
 * @param live the data files of all retained snapshots
 * @param moves the plan's moves of this table
 * @returns nothing where all moves are done already
 * @throws LakeError `stale-plan` where the files of a partition are not those that the plan counted
 */
export function planFileMoves(
  live: Iterable<LiveFile>,
  moves: readonly PlannedMove[],
  metadata: TableMetadata,
  places: TablePlaces,
  tiers: readonly Tier[],
  relocationId: string,
): JournaledMove[] {
  const wanted = new Map(
    moves.map((move) => [keyOf(move.partition, move.from), { move, files: 0, bytes: 0 }]),
  );
  const taken = new Set<string>();
  const planned: JournaledMove[] = [];
  for (const one of live) {
    const from = tierOf(tiers, one.file.filePath).name;
    const found = wanted.get(keyOf(partitionOf(one, metadata), from));
    if (found === undefined) continue;
    found.files += 1;
    found.bytes += one.file.fileSizeInBytes;
    const target = tierNamed(tiers, found.move.to);
    const to = unused(taken, relocatedPath(one.file.filePath, places, tiers, target, relocationId));
    const size = one.file.fileSizeInBytes;
    planned.push({
      from: one.file.filePath,
      to,
      kind: 'data',
      size,
      'from-tier': from,
      'to-tier': target.name,
    });
  }
  for (const found of wanted.values()) refuseIfStale(found);
  return planned;
}

function refuseIfStale({ move, files, bytes }: { move: PlannedMove; files: number; bytes: number }): void {
  // None left in the old tier: this move was made before, by a run that was interrupted or by another.
  if (files === 0 || (files === move.files && bytes === move.bytes)) return;
  const where = `${move.table} ${move.partition}`.trim();
  throw new LakeError(
    'stale-plan',
    `${where} has ${files} files (${bytes} bytes) in ${move.from}, the plan has ${move.files} (${move.bytes})`,
    {
      where: move.table,
      hint: 'make a new plan with: lake tier plan; nothing of this table was moved',
    },
  );
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

function keyOf(partition: string, tier: string): string {
  return `${tier}\u0000${partition}`;
}
