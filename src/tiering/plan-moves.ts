import type { LoadedTable } from '../catalog-client/catalog.ts';
import { isKind, LakeError } from '../errors.ts';
import { nearestName } from '../iceberg/nearest-name.ts';
import { currentSnapshot } from '../iceberg/table-metadata.ts';
import {
  evaluatePolicies,
  type GovernedTable,
  type KeptPartition,
  type PlannedMove,
  type TableState,
} from '../policy/evaluate.ts';
import { governingPolicy } from '../policy/match.ts';
import type { Policy, PolicySet } from '../policy/policy-set.ts';
import { tableName } from '../table/table.ts';
import { allTables } from './all-tables.ts';
import { commitTimes } from './commit-times.ts';
import { FOREIGN_FILE, type LakePlaces, moveRefusal, ownFiles } from './movable.ts';
import type { MovePlan, PlannedTable } from './move-plan.ts';
import { withReplacedData } from './replaced-data.ts';
import { branchWithStagedWork } from './staged-work.ts';
import { readStanding } from './standing-table.ts';
import { historyOf, type LiveFile, liveDataFiles, type TableHistory } from './table-history.ts';
import { matchedTable, tableState } from './table-state.ts';
import type { TieredLake } from './tiering-context.ts';

/**
 * What the policies want moved at `nowMs` (the policy's clock, ms since 1970), and why the rest stays. Data
 * files of all retained snapshots count, as all of them move. Reads only.
 *
 * @param tables names to look at; all of the catalog without it
 * @throws LakeError `not-found` for an unknown table, `invalid-file` for policies that tie or cannot age a table
 */
export async function planMoves(
  lake: TieredLake,
  policies: PolicySet,
  nowMs: number,
  tables?: readonly string[],
): Promise<MovePlan> {
  const states: TableState[] = [];
  const stays = new Map<string, Stays>();
  const seen = new Map<string, LoadedTable>();
  const problems: LakeError[] = [];
  for (const chosen of await chosenTables(lake, tables)) {
    const name = tableName(chosen.identifier);
    const policy = governing(policies, chosen, problems);
    seen.set(name, chosen);
    if (policy === undefined) continue;
    const { table, value } = await readStanding(lake, chosen, (standing) =>
      readTable(lake, policy, standing),
    );
    seen.set(name, table);
    states.push(value.state);
    stays.set(name, value.stays);
  }
  const plan = evaluatePolicies(policies, states, nowMs, problems);
  return withoutStaying({ ...plan, tables: plan.tables.map((one) => pinnedDown(one, seen)) }, stays);
}

async function readTable(
  lake: TieredLake,
  policy: Policy | null,
  table: LoadedTable,
): Promise<{ readonly state: TableState; readonly stays: Stays }> {
  const history = await historyOf(lake.objects, table);
  const live = await liveDataFiles(lake.objects, history);
  return {
    state: await agedState(lake, policy, { table, history, live, eachFile: true }),
    stays: { table: whyNotNow(lake.config, table), foreign: foreignFiles(table, live) },
  };
}

/** The policy of a table, null if none matches; undefined where there is a tie, which joins the problems. */
function governing(set: PolicySet, table: LoadedTable, problems: LakeError[]): Policy | null | undefined {
  try {
    return governingPolicy(set, matchedTable(table));
  } catch (error) {
    if (!isKind(error, 'invalid-file')) throw error;
    problems.push(error);
    return undefined;
  }
}

/** What a plan was made from, by which `lake tier apply FILE` knows the table again. */
function pinnedDown(one: GovernedTable, seen: ReadonlyMap<string, LoadedTable>): PlannedTable {
  const table = seen.get(one.table);
  if (table === undefined) throw new LakeError('internal', `the plan names ${one.table}, which was not read`);
  return {
    ...one,
    uuid: table.metadata['table-uuid'],
    metadata_location: table.metadataLocation ?? null,
    snapshot_id: currentSnapshot(table.metadata)?.['snapshot-id'].toString() ?? null,
  };
}

/** A table's state, aged as its policy says (by partition without one). Reads manifests where compactions hide commit times. */
export async function agedState(
  lake: TieredLake,
  policy: Policy | null,
  of: {
    readonly table: LoadedTable;
    readonly history: TableHistory;
    readonly live: ReadonlyMap<string, LiveFile>;
    readonly eachFile: boolean;
  },
): Promise<TableState> {
  const age = policy?.age ?? { by: 'partition' };
  const { tiers, timezone } = lake.config;
  const known = commitTimes(of.table.metadata);
  const times = age.by === 'commit' ? await withReplacedData(lake.objects, of.history, known) : known;
  return tableState(of.table, of.live.values(), { tiers, timezone, age, times, eachFile: of.eachFile });
}

async function chosenTables(lake: TieredLake, names: readonly string[] | undefined): Promise<LoadedTable[]> {
  const tables: LoadedTable[] = [];
  for await (const table of allTables(lake.catalog)) tables.push(table);
  if (names === undefined || names.length === 0) return tables;
  const known = new Map(tables.map((table) => [tableName(table.identifier), table]));
  return [...new Set(names)].map((name) => {
    const table = known.get(name);
    if (table !== undefined) return table;
    const near = nearestName(name, known.keys());
    const hint = near === null ? 'list the tables with: lake table list' : `did you mean "${near}"?`;
    throw new LakeError('not-found', `there is no table ${name}`, { hint });
  });
}

/** What keeps a table's files where they are, whatever its policy says. */
interface Stays {
  /** Why none of them is moved now; null if they can be. */
  readonly table: string | null;
  /** Sizes in bytes, by path, of files that lie in no folder of the table's own. */
  readonly foreign: ReadonlyMap<string, number>;
}

/** Why no file of a table is moved now, whatever its policy says; null if they can be. Pure. */
export function whyNotNow(places: LakePlaces, { metadata }: LoadedTable): string | null {
  const refusal = moveRefusal(places, metadata);
  if (refusal !== null) return `${refusal.why}: ${refusal.hint}`;
  const branch = branchWithStagedWork(metadata);
  return branch === null ? null : `waits: branch "${branch}" holds staged work`;
}

function foreignFiles({ metadata }: LoadedTable, live: ReadonlyMap<string, LiveFile>): Map<string, number> {
  const isOwn = ownFiles(metadata);
  const foreign = [...live.values()].map(({ file }) => file).filter(({ filePath }) => !isOwn(filePath));
  return new Map(foreign.map(({ filePath, fileSizeInBytes }) => [filePath, fileSizeInBytes]));
}

function withoutStaying(plan: MovePlan, stays: ReadonlyMap<string, Stays>): MovePlan {
  const moves: PlannedMove[] = [];
  const kept: KeptPartition[] = [...plan.kept];
  for (const move of plan.moves) {
    const { table: blocked = null, foreign = new Map<string, number>() } = stays.get(move.table) ?? {};
    const keep = (reason: string) =>
      kept.push({ table: move.table, partition: move.partition, tier: move.from, reason });
    const staying = move.paths.filter((path) => foreign.has(path));
    const paths = move.paths.filter((path) => !foreign.has(path));
    if (blocked !== null) keep(blocked);
    else if (staying.length > 0) keep(foreignReason(staying));
    if (blocked !== null || paths.length === 0) continue;
    const bytes = staying.reduce((left, path) => left - (foreign.get(path) ?? 0), move.bytes);
    moves.push(staying.length === 0 ? move : { ...move, paths, files: paths.length, bytes });
  }
  return { ...plan, moves, kept };
}

function foreignReason(paths: readonly string[]): string {
  const more = paths.length === 1 ? '' : `, and so do ${paths.length - 1} more`;
  return `${paths[0]} ${FOREIGN_FILE}${more}: added in place, and may be somebody else's`;
}
