import type { LoadedTable, TableIdentifier } from '../catalog-client/catalog.ts';
import { isKind, LakeError } from '../errors.ts';
import { inParallel } from '../in-parallel.ts';
import type { PlannedMove } from '../policy/evaluate.ts';
import { tableName } from '../table/table.ts';
import type { JournaledMove, JournaledReason, Relocation, RelocationReason } from './journal.ts';
import { type HeldLease, withLease } from './lease.ts';
import { tryRemoveLeftovers } from './ledger.ts';
import { refuseUnmovable } from './movable.ts';
import { placesOf, relocationFolder, relocationMetadataPrefix } from './relocation-paths.ts';
import { planFileMoves, summaryOf } from './relocation-plan.ts';
import { refuseStaged } from './staged-work.ts';
import { swapHistory } from './swap.ts';
import { historyOf, liveDataFiles } from './table-history.ts';
import type { TieringRun } from './tiering-context.ts';
import { copyVerified } from './verified-copy.ts';

/** Copies under way at once. */
const COPIES = 4;

/** What became of one table's moves. Sizes in bytes. */
export interface RelocationResult {
  readonly table: string;
  readonly relocation_id: string | null;
  readonly state: 'swapped' | 'rolled-back' | 'already-done';
  readonly files: number;
  readonly bytes: number;
}

/** What is to be moved of one table, and why. */
export interface RelocationRequest {
  readonly identifier: TableIdentifier;
  /** Of this table alone. */
  readonly moves: readonly PlannedMove[];
  readonly graceMs: number;
  readonly reason: RelocationReason;
  /** The uuid that the moves were planned on. */
  readonly uuid?: string;
  /** The relocation's id where it was chosen before. */
  readonly id?: string;
  /** Moves the files that are still there, where others have gone since; see `ApplyPlanOptions`. */
  readonly leaveOutGone?: boolean;
}

/**
 * Moves the files that a plan names, all of one table in one relocation, up to the swap (`protocol.ts`). A
 * LakeError before the swap rolls back; any other error leaves the journal for the next run.
 *
 * @throws LakeError `stale-plan`, `conflict` (staged work, another run), `unsupported` (format), those of the store
 */
export async function relocateTable(run: TieringRun, request: RelocationRequest): Promise<RelocationResult> {
  const { identifier, graceMs, reason } = request;
  const name = tableName(identifier);
  const first = await run.catalog.loadTable(identifier);
  refuseUnmovable(run, first);
  return withLease(run, { uuid: first.metadata['table-uuid'], name }, async (lease) => {
    await run.faults.at('leased');
    const table = await run.catalog.loadTable(identifier);
    refuseUnmovable(run, table);
    refuseStaged(table);
    const id = request.id ?? run.clock.uuid();
    const planned = await checkedMoves(run, table, request, id);
    if (planned.length === 0) {
      return { table: name, relocation_id: null, state: 'already-done', files: 0, bytes: 0 };
    }
    const journaled = { ...reason, moves: summaryOf(request.moves, new Set(planned.map((one) => one.from))) };
    const relocation = await begin(run, table, id, planned, { graceMs, reason: journaled }, lease);
    await run.faults.at('begun');
    await run.journal.addMoves(id, planned, lease.id);
    await run.faults.at('journaled');
    return carryOut(run, relocation, planned, lease);
  });
}

/**
 * The moves that are still to be made, if the table is such that they can be.
 *
 * @returns nothing where all of them were made before
 * @throws LakeError `stale-plan` where a planned file is gone (if those are not left out) or lies elsewhere, or the table is another
 */
export async function checkedMoves(
  run: TieringRun,
  table: LoadedTable,
  request: Pick<RelocationRequest, 'identifier' | 'moves' | 'uuid' | 'leaveOutGone'>,
  id: string,
): Promise<readonly JournaledMove[]> {
  const { identifier, moves, uuid } = request;
  const name = tableName(identifier);
  const tableUuid = table.metadata['table-uuid'];
  if (uuid !== undefined && uuid !== tableUuid) throw staleTable(name, 'was dropped and made anew since');
  const live = await liveDataFiles(run.objects, await historyOf(run.objects, table));
  const places = placesOf(identifier, table.metadata);
  const { planned, gone } = planFileMoves(live, moves, places, run.tiers, id);
  if (gone.length === 0 || request.leaveOutGone === true) return planned;
  const done = await movedBefore(run, tableUuid, new Map(gone.map(({ path, to }) => [path, to])));
  const missing = gone.filter(({ path }) => !done.has(path));
  const [first] = missing;
  if (first === undefined) return planned;
  const where = first.partition === '' ? '' : ` of ${first.partition}`;
  const what = `${missing.length} of ${missing.length + planned.length + done.size} planned files are gone, one${where}: ${first.path}`;
  throw staleTable(name, `has moved on: ${what}`);
}

function staleTable(table: string, what: string): LakeError {
  return new LakeError('stale-plan', `${table} ${what}`, {
    where: table,
    hint: 'make a new plan with: lake tier plan; nothing of this table was moved',
  });
}

/**
 * Which of the files now lie, after all relocations, in the tier that was planned: the same plan, applied twice. One that was moved
 * there and away again does not count.
 */
async function movedBefore(
  run: TieringRun,
  tableUuid: string,
  wanted: ReadonlyMap<string, string>,
): Promise<Set<string>> {
  /** The planned path of each path that a file has had so far. */
  const origins = new Map([...wanted.keys()].map((path) => [path, path]));
  const tiers = new Map<string, string>();
  // Oldest first: a relocation that took a file on began after the one that had brought it.
  for (const { state, 'relocation-id': id } of await run.journal.relocationsOf(tableUuid)) {
    if (state !== 'swapped' && state !== 'finished') continue;
    for await (const { kind, from, to, 'to-tier': tier } of run.journal.moves(id)) {
      const origin = kind === 'data' ? origins.get(from) : undefined;
      if (origin === undefined) continue;
      origins.set(to, origin);
      tiers.set(origin, tier ?? '');
    }
  }
  return new Set([...wanted].filter(([path, tier]) => tiers.get(path) === tier).map(([path]) => path));
}

/**
 * Steps 4 to 10: copies, rewrites, swaps, cleans; from the beginning or where an interrupted run left off.
 *
 * @param moves the journaled moves of data files, all of them
 */
export async function carryOut(
  run: TieringRun,
  relocation: Relocation,
  moves: readonly JournaledMove[],
  lease: HeldLease,
): Promise<RelocationResult> {
  try {
    await copyAll(run, relocation, moves, lease);
    const swapped = await swapHistory(run, relocation, moves, lease);
    // Where nothing is left to move, a swap whose answer was lost may have landed meanwhile.
    if (!swapped && !(await hasLanded(run, relocation))) return await rollBack(run, relocation, lease);
  } catch (error) {
    if (!(error instanceof LakeError)) throw error;
    if (!(await landedAfterAll(run, relocation, lease, error))) throw error;
  }
  await run.faults.at('swapped');
  await tryRemoveLeftovers(run, [relocation]);
  await run.faults.at('cleaned');
  return resultOf(relocation, 'swapped');
}

/** After a failure: true if the swap was made all the same. If not, takes the relocation back, where that is safe. */
async function landedAfterAll(
  run: TieringRun,
  relocation: Relocation,
  lease: HeldLease,
  error: LakeError,
): Promise<boolean> {
  if (await hasLanded(run, relocation)) return true;
  // Unknown: the swap may yet be applied. The journal tells the next run.
  if (isKind(error, 'unknown-outcome')) return false;
  try {
    await rollBack(run, relocation, lease);
    return false;
  } catch (cause) {
    if (!(cause instanceof LakeError)) throw cause;
    // The catalog takes back nothing that was swapped. Otherwise the next run rolls back or goes on; the first error is the one to report.
    return hasLanded(run, relocation);
  }
}

/** True if the journal says that the swap was made; false too where it cannot be read. */
async function hasLanded(run: TieringRun, { 'relocation-id': id }: Relocation): Promise<boolean> {
  try {
    const { state } = await run.journal.relocation(id);
    return state === 'swapped' || state === 'finished';
  } catch (error) {
    if (!(error instanceof LakeError)) throw error;
    return false;
  }
}

/**
 * Takes back a relocation that was not swapped. First its state, under the lease: from then on the catalog refuses a swap
 * that is still under way, or another run's. Only then what it made goes; a crash between leaves that to the next run.
 */
export async function rollBack(
  run: TieringRun,
  relocation: Relocation,
  lease: HeldLease,
): Promise<RelocationResult> {
  lease.check();
  await run.journal.setState(relocation['relocation-id'], 'rolled-back', lease.id);
  await tryRemoveLeftovers(run, [{ ...relocation, state: 'rolled-back' }]);
  return { ...resultOf(relocation, 'rolled-back'), files: 0, bytes: 0 };
}

async function begin(
  run: TieringRun,
  { identifier, metadata }: LoadedTable,
  id: string,
  planned: readonly JournaledMove[],
  { graceMs, reason }: { readonly graceMs: number; readonly reason: JournaledReason },
  lease: HeldLease,
): Promise<Relocation> {
  const places = placesOf(identifier, metadata);
  const metadataPrefix = relocationMetadataPrefix(places, id);
  const common = {
    'relocation-id': id,
    'table-uuid': metadata['table-uuid'],
    'grace-ms': graceMs,
    plan: {
      'data-files': planned.length,
      bytes: planned.reduce((sum, move) => sum + move.size, 0),
      reason,
      'metadata-prefix': metadataPrefix,
      prefixes: [metadataPrefix, ...run.tiers.map((tier) => relocationFolder(places, tier, id))],
    },
  };
  await run.journal.begin({ ...common, identifier }, lease.id);
  return { ...common, namespace: identifier.namespace, table: identifier.name, state: 'copying' };
}

async function copyAll(
  run: TieringRun,
  relocation: Relocation,
  moves: readonly JournaledMove[],
  lease: HeldLease,
): Promise<void> {
  const table = [...relocation.namespace, relocation.table].join('.');
  let done = 0;
  // All have ended before an error is thrown: no copy may be under way while a roll back deletes.
  await inParallel(moves, COPIES, async ({ from, to, 'to-tier': name }) => {
    lease.check();
    const storageClass = run.tiers.find((tier) => tier.name === name)?.storageClass;
    await copyVerified(run.objects, from, to, storageClass === undefined ? {} : { storageClass });
    run.progress({ table, step: 'copying', done: ++done, total: moves.length });
    await run.faults.at('copied-one');
  });
  await run.faults.at('copied');
}

function resultOf(relocation: Relocation, state: 'swapped' | 'rolled-back'): RelocationResult {
  return {
    table: [...relocation.namespace, relocation.table].join('.'),
    relocation_id: relocation['relocation-id'],
    state,
    files: relocation.plan['data-files'],
    bytes: relocation.plan.bytes,
  };
}
