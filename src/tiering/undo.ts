import type { LoadedTable } from '../catalog-client/catalog.ts';
import { tierOf } from '../config.ts';
import { isKind, LakeError } from '../errors.ts';
import { tableName } from '../table/table.ts';
import { allTables } from './all-tables.ts';
import type { BringBack } from './bring-back.ts';
import type { JournaledMove, PastRelocation } from './journal.ts';
import { partitionOf } from './relocation-plan.ts';
import { movesOf } from './restore.ts';
import { historyOf, liveDataFiles } from './table-history.ts';
import { type TieredLake, tieringRun } from './tiering-context.ts';

/** What an undo would do. */
export interface UndoPlan extends BringBack {
  readonly relocation: PastRelocation;
  /** Files of the relocation that no retained snapshot reads there any more: compacted, deleted, or moved on since. */
  readonly gone: readonly string[];
}

/**
 * The moves that take the files of a relocation back to the tiers they came from, forward to new paths. Reads only.
 *
 * @param id of the relocation, or its first characters; without it the one that was swapped last
 * @throws LakeError `not-found` for an unknown relocation or a dropped table, `usage` for one that was not carried out, `stale-plan` where none
 *   of its files is left
 */
export async function planUndo(lake: TieredLake, id?: string): Promise<UndoPlan> {
  const { journal } = tieringRun(lake);
  const relocation = chosen(await journal.relocationsOf(), id);
  const table = await tableOf(lake, relocation);
  const moved = new Map<string, JournaledMove>();
  for await (const move of journal.moves(relocation['relocation-id'])) {
    if (move.kind === 'data') moved.set(move.to, move);
  }
  const live = await liveDataFiles(lake.objects, await historyOf(lake.objects, table));
  const there = [...moved.keys()].flatMap((path) => {
    const file = live.get(path);
    if (file === undefined) return [];
    return [
      { partition: partitionOf(file, table.metadata), tier: tierOf(lake.config.tiers, path).name, file },
    ];
  });
  const gone = [...moved.keys()].filter((path) => !live.has(path));
  if (there.length === 0) throw nothingLeft(relocation, gone.length);
  const text = `undo ${relocation['relocation-id']}`;
  const target = (path: string) => moved.get(path)?.['from-tier'] ?? tierOf(lake.config.tiers, path).name;
  const moves = movesOf(tableName(table.identifier), there, target, text);
  return {
    table,
    moves: moves.filter((move) => move.from !== move.to),
    graceMs: relocation['grace-ms'],
    reason: { command: 'undo', text, undoes: relocation['relocation-id'] },
    pinned: hotter(lake, moves),
    relocation,
    gone,
  };
}

/** Only what comes back to a hotter tier would be moved away again by its policy. */
function hotter({ config }: TieredLake, moves: BringBack['moves']): string[] {
  const rank = (name: string) => config.tiers.findIndex((tier) => tier.name === name);
  return [...new Set(moves.filter(({ from, to }) => rank(to) < rank(from)).map((move) => move.partition))];
}

function chosen(all: readonly PastRelocation[], id: string | undefined): PastRelocation {
  const done = all.filter((one) => one['swapped-at-ms'] !== null);
  const swappedAt = (one: PastRelocation) => one['swapped-at-ms'] ?? 0;
  const last = [...done].sort((a, b) => swappedAt(a) - swappedAt(b)).at(-1);
  if (id === undefined) {
    if (last !== undefined) return last;
    throw new LakeError('not-found', 'nothing was moved yet', { hint: 'lake tier history shows all moves' });
  }
  const [found, second] = all.filter((one) => one['relocation-id'].startsWith(id));
  const hint = 'lake tier history shows all moves with their ids';
  if (found === undefined) throw new LakeError('not-found', `there is no relocation ${id}`, { hint });
  if (second !== undefined) throw new LakeError('usage', `several relocations begin with ${id}`, { hint });
  if (found['swapped-at-ms'] !== null) return found;
  throw new LakeError('usage', `relocation ${found['relocation-id']} is ${found.state}: it moved nothing`, {
    hint,
  });
}

async function tableOf(lake: TieredLake, relocation: PastRelocation): Promise<LoadedTable> {
  const uuid = relocation['table-uuid'];
  const identifier = { namespace: relocation.namespace, name: relocation.table };
  try {
    const table = await lake.catalog.loadTable(identifier);
    if (table.metadata['table-uuid'] === uuid) return table;
  } catch (error) {
    if (!isKind(error, 'not-found')) throw error;
  }
  // Renamed since, or gone.
  for await (const table of allTables(lake.catalog)) if (table.metadata['table-uuid'] === uuid) return table;
  throw new LakeError(
    'not-found',
    `the table ${tableName(identifier)} of this relocation is not there any more`,
    {
      hint: 'nothing was done; lake tier history shows other moves',
    },
  );
}

function nothingLeft(relocation: PastRelocation, files: number): LakeError {
  return new LakeError(
    'stale-plan',
    `none of the ${files} files that relocation ${relocation['relocation-id']} moved is read there any more`,
    {
      where: tableName({ namespace: relocation.namespace, name: relocation.table }),
      hint: 'they were compacted, deleted or moved on since; lake tier restore brings partitions back as they are now',
    },
  );
}
