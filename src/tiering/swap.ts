import type { LoadedTable } from '../catalog-client/catalog.ts';
import { isKind, LakeError } from '../errors.ts';
import { readManifestContent } from '../table/manifests.ts';
import { tableName } from '../table/table.ts';
import { DeleteRewriter } from './delete-rewrite.ts';
import { affectedBranches, buildFence, type Fence } from './fence.ts';
import { HistoryWriter, putAll, type RewrittenSnapshot } from './history-writer.ts';
import type { JournaledMove, Relocation } from './journal.ts';
import type { HeldLease } from './lease.ts';
import { refuseUnmovable } from './movable.ts';
import { placesOf } from './relocation-paths.ts';
import { Scratch } from './scratch.ts';
import { refuseStaged, retainedAncestry } from './staged-work.ts';
import { distinctManifests, hasLiveFiles, historyOf, type TableHistory } from './table-history.ts';
import type { TieringRun } from './tiering-context.ts';

/** How often other commits may come first before a relocation gives up. */
const MOST_ATTEMPTS = 20;

/** What serves every attempt of one swap. */
interface SwapWork {
  readonly run: TieringRun;
  readonly relocation: Relocation;
  readonly lease: HeldLease;
  readonly deletes: DeleteRewriter;
  readonly writer: HistoryWriter;
  /** Delete manifests whose files have been looked into. */
  readonly visited: Set<string>;
  /** What the attempt before has read: on a new base only what came since is read again (DESIGN 4.2 step 7). */
  known: TableHistory | undefined;
  place(name: string): string;
}

/**
 * Steps 5 to 9: rewrites the history on the current base and swaps it in; again on a new base after a conflict.
 *
 * @returns false where no retained snapshot names any of the moved files any more, so that nothing is to be swapped
 * @throws LakeError `conflict` (staged work, too many other commits, lease lost), `unknown-outcome`, `not-found` (table dropped)
 */
export async function swapHistory(
  run: TieringRun,
  relocation: Relocation,
  moves: readonly JournaledMove[],
  lease: HeldLease,
): Promise<boolean> {
  const scratch = new Scratch(run.memoryLimit);
  try {
    const work = await prepare(run, relocation, moves, lease, scratch);
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      const done = await attemptSwap(work, attempt);
      if (done !== 'again') return done === 'swapped';
    }
  } finally {
    await scratch.close();
  }
  throw new LakeError('conflict', `${nameOf(relocation)}: other commits came first ${MOST_ATTEMPTS} times`, {
    where: nameOf(relocation),
    hint: 'run lake tier apply again when fewer writers are at work; the move was taken back',
  });
}

async function prepare(
  run: TieringRun,
  relocation: Relocation,
  moves: readonly JournaledMove[],
  lease: HeldLease,
  scratch: Scratch,
): Promise<SwapWork> {
  const id = relocation['relocation-id'];
  const attempt = run.clock.uuid();
  const place = (name: string) => `${relocation.plan['metadata-prefix']}${attempt.slice(0, 8)}-${name}`;
  const journal = (made: readonly JournaledMove[]) => run.journal.addMoves(id, made, lease.id);
  const table = await loadSame(run, relocation);
  const deletes = new DeleteRewriter({
    objects: run.objects,
    scratch,
    places: placesOf(table.identifier, table.metadata),
    tiers: run.tiers,
    relocationId: id,
    attempt,
    moved: new Map(moves.map((move) => [move.from, { to: move.to, tier: move['to-tier'] ?? '' }])),
    journal,
  });
  const moved = new Map(moves.map((move) => [move.from, move.to]));
  const writer = new HistoryWriter({ objects: run.objects, moved, place, journal });
  return { run, relocation, lease, deletes, writer, visited: new Set(), known: undefined, place };
}

async function attemptSwap(work: SwapWork, attempt: number): Promise<'swapped' | 'nothing-left' | 'again'> {
  const { run, relocation, lease, deletes, writer } = work;
  const report = (step: string, done: number) =>
    run.progress({ table: nameOf(relocation), step, done, total: 4 });
  const table = await loadSame(run, relocation);
  refuseUnmovable(run, table);
  refuseStaged(table);
  const history = await historyOf(run.objects, table, work.known);
  work.known = history;
  report('rewriting deletes', 0);
  await rewriteDeletes(work, history);
  await run.faults.at('deletes-rewritten');
  lease.check();
  report('rewriting manifests', 1);
  await writer.writeManifests(history, deletes.rewritten);
  await run.faults.at('manifests-written');
  const changed = await writer.writeLists(history);
  await run.faults.at('lists-written');
  if (changed.length === 0) return 'nothing-left';
  report('fencing', 2);
  const fences = buildFences(work, history, changed, attempt);
  for (const fence of fences) await putAll(run.objects, fence.objects);
  await run.faults.at('fences-written');
  lease.check();
  report('swapping', 3);
  return swapOnce(work, table, changed, fences);
}

/** The table as it is now, if it is still the one that the relocation began with. */
async function loadSame(run: TieringRun, relocation: Relocation): Promise<LoadedTable> {
  const table = await run.catalog.loadTable({ namespace: relocation.namespace, name: relocation.table });
  if (table.metadata['table-uuid'] === relocation['table-uuid']) return table;
  throw new LakeError('not-found', `${nameOf(relocation)} was dropped and made anew during its move`, {
    where: nameOf(relocation),
    hint: 'make a new plan with: lake tier plan',
  });
}

async function rewriteDeletes(
  { run, deletes, visited, lease }: SwapWork,
  history: TableHistory,
): Promise<void> {
  for (const manifest of distinctManifests(history)) {
    const { content, manifestPath } = manifest;
    if (content !== 'deletes' || visited.has(manifestPath) || !hasLiveFiles(manifest)) continue;
    const { entries } = await readManifestContent(run.objects, manifest);
    for (const { status, dataFile } of entries) {
      if (status === 'deleted' || dataFile.content !== 'position-deletes') continue;
      lease.check();
      await deletes.visit(dataFile);
    }
    visited.add(manifestPath);
  }
}

function buildFences(
  { run, relocation, writer, place }: SwapWork,
  history: TableHistory,
  changed: readonly RewrittenSnapshot[],
  attempt: number,
): Fence[] {
  const { metadata } = history;
  const before = new Map(history.snapshots.map((one) => [one.snapshot['snapshot-id'], one.manifests]));
  const after = new Map(changed.map((one) => [one.snapshotId, one.manifests]));
  return affectedBranches(metadata, new Set(after.keys())).map((ref, at) => {
    const ancestry = retainedAncestry(metadata, metadata.refs[ref]!['snapshot-id']);
    const head = ancestry[0]!;
    const headId = head['snapshot-id'];
    return buildFence({
      ref,
      snapshotId: run.clock.snapshotId(),
      sequenceNumber: metadata['last-sequence-number'] + 1 + at,
      relocationId: relocation['relocation-id'],
      nowMs: run.clock.now(),
      metadata,
      head,
      manifests: after.get(headId) ?? before.get(headId) ?? [],
      retired: writer.retiredIn(ancestry.flatMap((one) => before.get(one['snapshot-id']) ?? [])),
      place: (name) => place(`${attempt}-${name}`),
    });
  });
}

/** One try of the swap. After any doubt the journal says what happened: nothing is tried again blindly. */
async function swapOnce(
  { run, relocation, lease }: SwapWork,
  table: LoadedTable,
  changed: readonly RewrittenSnapshot[],
  fences: readonly Fence[],
): Promise<'swapped' | 'again'> {
  const id = relocation['relocation-id'];
  try {
    await run.journal.swap(id, {
      'lease-id': lease.id,
      'base-metadata-location': table.metadataLocation ?? '',
      snapshots: changed.map((one) => ({ 'snapshot-id': one.snapshotId, 'manifest-list': one.manifestList })),
      fences: fences.map(({ ref, snapshot }) => ({ ref, snapshot })),
      retired: [],
    });
    return 'swapped';
  } catch (error) {
    if (!isKind(error, 'conflict', 'unknown-outcome', 'unavailable')) throw error;
    if (await wasSwapped(run, id, error)) return 'swapped';
    if (error.kind === 'conflict' && (await isCurrent(run, relocation, table))) throw error;
    return 'again';
  }
}

async function wasSwapped(run: TieringRun, id: string, cause: unknown): Promise<boolean> {
  try {
    const { state } = await run.journal.relocation(id);
    return state === 'swapped' || state === 'finished';
  } catch {
    throw new LakeError('unknown-outcome', 'it is not known whether the move was swapped in', {
      hint: 'nothing was deleted; run lake tier apply again: it reads the journal and goes on',
      cause,
    });
  }
}

/** True if no other commit came: then the conflict was about something else, and trying again is no use. */
async function isCurrent(run: TieringRun, relocation: Relocation, table: LoadedTable): Promise<boolean> {
  return (await loadSame(run, relocation)).metadataLocation === table.metadataLocation;
}

function nameOf(relocation: Relocation): string {
  return tableName({ namespace: relocation.namespace, name: relocation.table });
}
