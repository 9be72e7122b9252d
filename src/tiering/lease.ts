import { hostname } from 'node:os';
import { pid } from 'node:process';
import { isKind, LakeError } from '../errors.ts';
import type { Lease } from './journal.ts';
import type { TieringRun } from './tiering-context.ts';

/** Short, so that a crashed run holds up the next one for seconds; renewed while the work goes on. */
const TTL_MS = 20_000;
const RENEW_EVERY_MS = 5_000;
const RETRY_MS = 500;

interface LeasedTable {
  readonly uuid: string;
  readonly name: string;
}

/** A lease, and when it was asked for: it counts from no earlier. */
interface AcquiredLease {
  readonly lease: Lease;
  readonly askedMs: number;
}

/** The right to relocate one table. */
export interface HeldLease {
  readonly id: string;
  /** Throws `conflict` if the lease was lost: another run may be at work, so this one must stop. */
  check(): void;
}

/**
 * Does `work` under the table's lease. Waits for a lease that a crashed run left behind. After an error that is
 * not a LakeError nothing is known of the state: the lease is left to run out.
 *
 * @throws LakeError `conflict` if another run keeps the lease
 */
export async function withLease<T>(
  run: TieringRun,
  table: LeasedTable,
  work: (lease: HeldLease) => Promise<T>,
): Promise<T> {
  return underLease(run, table, await acquireLease(run, table), work);
}

/** Does `work` under a lease that was acquired for it; see `withLease`. */
export async function underLease<T>(
  run: TieringRun,
  table: LeasedTable,
  { lease, askedMs }: AcquiredLease,
  work: (lease: HeldLease) => Promise<T>,
): Promise<T> {
  const id = lease['lease-id'];
  let lost: unknown;
  let validUntilMs = askedMs + TTL_MS;
  const renew = () => {
    // Counted from before the call: the catalog's own count starts no earlier.
    const askedAtMs = run.clock.now();
    return run.journal.renewLease(id, TTL_MS).then(
      () => {
        validUntilMs = askedAtMs + TTL_MS;
      },
      (error: unknown) => {
        if (isKind(error, 'conflict', 'not-found')) lost = error;
      },
    );
  };
  const timer = setInterval(renew, RENEW_EVERY_MS).unref();
  const check = () => {
    if (lost === undefined && run.clock.now() < validUntilMs) return;
    throw new LakeError('conflict', `the lease on ${table.name} was lost while its files were moved`, {
      where: table.name,
      hint: 'run lake tier apply again: it goes on from the journal',
      cause: lost,
    });
  };
  let release = true;
  try {
    return await work({ id, check });
  } catch (error) {
    release = error instanceof LakeError;
    throw error;
  } finally {
    clearInterval(timer);
    if (release) await run.journal.releaseLease(id).catch(() => {});
  }
}

/** The table's lease, once a crashed run's has run out. @throws LakeError `conflict` if another run, which is alive, keeps it */
export async function acquireLease(run: TieringRun, table: LeasedTable): Promise<AcquiredLease> {
  const holder = `${hostname()}:${pid}:${run.clock.uuid()}`;
  const deadline = run.clock.now() + TTL_MS + 2 * RETRY_MS;
  for (;;) {
    const askedMs = run.clock.now();
    try {
      return { lease: await run.journal.acquireLease(table.uuid, holder, TTL_MS), askedMs };
    } catch (error) {
      if (!isKind(error, 'conflict')) throw error;
      if (run.clock.now() >= deadline) {
        throw new LakeError('conflict', `another run is moving files of ${table.name}`, {
          where: table.name,
          hint: 'wait until it is done, then run lake tier apply again',
          cause: error,
        });
      }
      run.progress({ table: table.name, step: 'waiting for the lease', done: 0, total: 1 });
      await run.clock.sleep(RETRY_MS);
    }
  }
}
