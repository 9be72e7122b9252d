import { isKind, LakeError } from '../errors.ts';
import type { LedgerEntry, Relocation } from './journal.ts';
import { type LiveReferences, liveReferences } from './live-references.ts';
import { liesInLake } from './movable.ts';
import { normalLocation } from './normal-location.ts';
import type { TieringRun } from './tiering-context.ts';

const DELETE_BATCH = 1000;

export interface LedgerReport {
  /** Old objects deleted now. */
  readonly deleted: number;
  /** Old objects whose grace has passed and that a live snapshot still names: they stay. */
  readonly stillNamed: readonly string[];
  /** Old objects whose grace has not passed. */
  readonly waiting: number;
  /** When the next of them is due, ms since 1970; null if none waits. */
  readonly nextDueMs: number | null;
}

/**
 * Deletes retired objects whose grace has passed at `nowMs` (wall clock), each only after proof that no live
 * snapshot of any table names it. One that is gone already is fine. Relocations with nothing left are finished.
 */
export async function sweepLedger(run: TieringRun, nowMs: number): Promise<LedgerReport> {
  // Read before the ledger: a relocation that swaps in between has entries that the ledger here lacks.
  const swapped = await run.journal.relocationsIn('swapped');
  const entries: LedgerEntry[] = [];
  // The catalog's clock made the entries' times; a clock here that runs ahead of it must not cut a grace short.
  let now = nowMs;
  for await (const page of run.journal.ledgerPages()) {
    entries.push(...page.entries);
    now = Math.min(now, page['now-ms'] ?? now);
  }
  const due = entries.filter((entry) => entry['delete-after-ms'] <= now);
  const later = entries.filter((entry) => entry['delete-after-ms'] > now);
  const { named, tables } = await referencesOrNone(
    run,
    due.map((entry) => entry.location),
  );
  const mayGo = (entry: LedgerEntry) => {
    const home = tables.get(entry['table-uuid']);
    if (home === undefined || named.has(entry.location)) return false;
    return liesInLake(run, home.location) && home.isOwn(entry.location);
  };
  // An object may be on the ledger for two tables: it goes when the last of them lets go.
  const waiting = [...later, ...due.filter((entry) => !mayGo(entry))];
  const held = new Set(waiting.map((entry) => normalLocation(entry.location)));
  const isFree = (entry: LedgerEntry) => mayGo(entry) && !held.has(normalLocation(entry.location));
  const free = [...new Set(due.filter(isFree).map((entry) => entry.location))];
  for (let at = 0; at < free.length; at += DELETE_BATCH) {
    const batch = free.slice(at, at + DELETE_BATCH);
    await run.objects.delete(batch);
    await run.journal.markDeleted(batch);
  }
  await finishEmptied(run, swapped, [...later, ...due.filter((entry) => !isFree(entry))]);
  await run.faults.at('ledger-swept');
  const nextDueMs =
    later.length === 0
      ? null
      : later.reduce((least, one) => Math.min(least, one['delete-after-ms']), Infinity);
  return { deleted: free.length, stillNamed: [...named], waiting: later.length, nextDueMs };
}

/** A table that cannot be read may name any of them: then all stay for a later run, and the moves that were made count. */
async function referencesOrNone(run: TieringRun, locations: readonly string[]): Promise<LiveReferences> {
  try {
    return await liveReferences(run, locations);
  } catch (error) {
    if (!isKind(error, 'corrupt', 'not-found', 'unsupported')) throw error;
    run.warn(`No old object was deleted, as a table cannot be read: ${toldBy(error)}`);
    return { named: new Set(), tables: new Map() };
  }
}

async function finishEmptied(
  run: TieringRun,
  swapped: readonly Relocation[],
  left: readonly LedgerEntry[],
): Promise<void> {
  const open = new Set(left.map((entry) => entry['relocation-id']));
  for (const relocation of swapped) {
    const id = relocation['relocation-id'];
    if (!open.has(id)) await run.journal.setState(id, 'finished');
  }
}

/** As `removeLeftovers`; what goes wrong is told, and left to the next run: false then. Errors: none that is a LakeError. */
export async function tryRemoveLeftovers(
  run: TieringRun,
  relocations: readonly Relocation[],
): Promise<boolean> {
  try {
    await removeLeftovers(run, relocations);
    return true;
  } catch (error) {
    if (!(error instanceof LakeError)) throw error;
    run.warn(
      `What interrupted or repeated moves made was not cleaned up; the next run tries again: ${toldBy(error)}`,
    );
    return false;
  }
}

function toldBy({ message, where }: LakeError): string {
  return where === undefined || message.includes(where) ? message : `${message} (${where})`;
}

/**
 * Deletes what relocations made and nothing names: copies and rewritten files of an attempt that another commit
 * overtook, or of a run that is rolled back.
 */
async function removeLeftovers(run: TieringRun, relocations: readonly Relocation[]): Promise<void> {
  const made: { readonly location: string; readonly relocation: Relocation }[] = [];
  for (const relocation of relocations) {
    for await (const location of madeBy(run, relocation)) made.push({ location, relocation });
  }
  if (made.length === 0) return;
  const { named, tables } = await liveReferences(
    run,
    made.map((one) => one.location),
  );
  // What a later relocation retired has a grace of its own: the ledger deletes it, nobody else.
  const retired = new Set<string>();
  for await (const entry of run.journal.ledger()) retired.add(entry.location);
  const leftovers = made
    // A table that was swapped and not seen was renamed just now, or dropped with its files kept.
    .filter(({ relocation: of }) => of.state === 'rolled-back' || tables.has(of['table-uuid']))
    .map((one) => one.location)
    .filter((location) => !named.has(location) && !retired.has(location));
  for (let at = 0; at < leftovers.length; at += DELETE_BATCH) {
    await run.objects.delete(leftovers.slice(at, at + DELETE_BATCH));
  }
}

/** The objects that stand below a relocation's own prefixes. */
async function* madeBy(run: TieringRun, { plan, ...relocation }: Relocation): AsyncIterable<string> {
  for (const prefix of plan.prefixes) {
    // A prefix without the relocation's own id would be somebody else's folder.
    if (!prefix.includes(relocation['relocation-id'])) continue;
    // In a copied project it is the first one's, which may have gone on with the move.
    if (!liesInLake(run, prefix)) continue;
    for await (const page of run.objects.list(prefix)) yield* page.map((head) => head.location);
  }
}
