import { LakeError } from '../errors.ts';
import { heldByUnreadable } from './blind-tables.ts';
import type { ExpirePlan } from './expire-plan.ts';
import { type Candidate, collectCandidates, type RemovedSnapshots } from './expired-files.ts';
import { LocationMarks } from './location-marks.ts';
import { type MaintenanceRun, type RefusedTable, refusedBy } from './maintenance-run.ts';
import { placedTables } from './placed-tables.ts';
import { clearProtected } from './protected.ts';
import { clearReferenced, type Proof } from './references.ts';
import { Spool } from './spool.ts';

const DELETE_BATCH = 1000;

/** A table after the commit of its expiry (or, planned, before it). */
export interface ExpiredTable {
  readonly table: string;
  readonly uuid: string;
  readonly plan: ExpirePlan;
  readonly removed: RemovedSnapshots;
}

/** Objects and their bytes. */
export interface DeletedFiles {
  readonly files: number;
  readonly bytes: number;
}

export interface Deletion {
  /** In the order of the tables given. */
  readonly counts: readonly DeletedFiles[];
  readonly refused: readonly RefusedTable[];
}

/**
 * Deletes what the removed snapshots reached and nothing reaches now. The state of every table is read after the
 * expiry's commits, so whatever was committed before is seen; whatever comes later is derived from what stays.
 * Files of a table that cannot be read, or that the proof did not come across, stay.
 */
export async function deleteExpired(
  run: MaintenanceRun,
  expired: readonly ExpiredTable[],
  { dryRun }: { readonly dryRun: boolean },
): Promise<Deletion> {
  if (expired.length === 0) return { counts: [], refused: [] };
  const marks = new LocationMarks();
  const spool = await Spool.open<Candidate>();
  try {
    const refused = await collectAll(run, expired, { marks, spool });
    await run.at('collected');
    const going = expired.map(({ uuid, plan }) => [uuid, new Set(plan.snapshots)] as const);
    const proof = await clearReferenced(run, marks, {
      ...(dryRun ? { going: new Map(going) } : {}),
      progress: (table, done, total) => run.progress({ table, step: 'reading manifests', done, total }),
    });
    await clearProtected(run, marks, proof.tables);
    await run.at('proved');
    const kept = await keptBack(run, expired, proof);
    const counts = await deleteMarked(run, expired, { marks, spool }, kept, dryRun);
    return { counts, refused: [...refused, ...unproved(expired, kept)] };
  } finally {
    await spool.close();
  }
}

async function collectAll(
  run: MaintenanceRun,
  expired: readonly ExpiredTable[],
  into: { readonly marks: LocationMarks; readonly spool: Spool<Candidate> },
): Promise<RefusedTable[]> {
  const refused: RefusedTable[] = [];
  for (const [at, { table, removed }] of expired.entries()) {
    run.progress({ table, step: 'reading old snapshots', done: at, total: expired.length });
    try {
      await collectCandidates(run.objects, removed, at, into);
    } catch (error) {
      if (!(error instanceof LakeError)) throw error;
      refused.push(filesStay(table, error));
    }
  }
  return refused;
}

/**
 * The tables whose files stay, by uuid, with the reason: those that cannot be read, and those that share a folder with such
 * a one, as it may name their files.
 */
async function keptBack(
  run: MaintenanceRun,
  expired: readonly ExpiredTable[],
  proof: Proof,
): Promise<Map<string, LakeError>> {
  const { tables, unreadable } = proof;
  const kept = new Map<string, LakeError>();
  for (const { uuid } of expired) {
    const error = unreadable.get(uuid)?.error;
    if (error !== undefined) kept.set(uuid, error);
    else if (!tables.has(uuid)) kept.set(uuid, new LakeError('not-found', 'the table was dropped meanwhile'));
  }
  if (unreadable.size === 0) return kept;
  for (const [uuid, error] of heldByUnreadable(run, await placedTables(run), proof)) {
    if (!kept.has(uuid)) kept.set(uuid, error);
  }
  return kept;
}

async function deleteMarked(
  run: MaintenanceRun,
  expired: readonly ExpiredTable[],
  { marks, spool }: { readonly marks: LocationMarks; readonly spool: Spool<Candidate> },
  kept: ReadonlyMap<string, LakeError>,
  dryRun: boolean,
): Promise<DeletedFiles[]> {
  const counts = expired.map(() => ({ files: 0, bytes: 0 }));
  let batch: string[] = [];
  const flush = async () => {
    if (!dryRun && batch.length > 0) {
      await run.at('deleting');
      await run.objects.delete(batch);
    }
    batch = [];
  };
  let seen = 0;
  for await (const { location, bytes, of } of spool.rows()) {
    seen += 1;
    if (kept.has(expired[of]!.uuid) || !marks.has(location)) continue;
    const count = counts[of]!;
    count.files += 1;
    count.bytes += bytes;
    batch.push(location);
    if (batch.length < DELETE_BATCH) continue;
    await flush();
    run.progress({ table: expired[of]!.table, step: 'deleting', done: seen, total: spool.length });
  }
  await flush();
  return counts;
}

/** Tables whose snapshots went and whose files stay. */
function unproved(expired: readonly ExpiredTable[], kept: ReadonlyMap<string, LakeError>): RefusedTable[] {
  return expired.flatMap(({ table, uuid }) => {
    const error = kept.get(uuid);
    return error === undefined ? [] : [filesStay(table, error)];
  });
}

function filesStay(table: string, error: LakeError): RefusedTable {
  const { kind, reason } = refusedBy(table, error);
  return { table, kind, reason: `its snapshots are expired, and its files stay: ${reason}` };
}
