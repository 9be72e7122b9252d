import type { LoadedTable } from '../catalog-client/catalog.ts';
import { isKind, LakeError } from '../errors.ts';
import type { TableMetadata } from '../iceberg/table-metadata.ts';
import type { TableUpdate } from '../iceberg/updates.ts';
import { commitWithRetry, type Staged } from '../table/commit.ts';
import { tableName } from '../table/table.ts';
import { withLease } from '../tiering/lease.ts';
import { FENCE_PROPERTY } from '../tiering/protocol.ts';
import type { TieredLake } from '../tiering/tiering-context.ts';
import { type DeletedFiles, deleteExpired, type ExpiredTable } from './expire-deletion.ts';
import { type ExpirePlan, isEmptyPlan, planExpire } from './expire-plan.ts';
import { removedFrom } from './expired-files.ts';
import {
  keptRefusal,
  type MaintenanceOptions,
  type MaintenanceRun,
  maintenanceRun,
  type RefusedTable,
  refusedBy,
} from './maintenance-run.ts';
import type { SnapshotRules } from './snapshot-rules.ts';

/** A table with the rules that hold for it. */
export interface ExpireTarget {
  readonly table: LoadedTable;
  readonly rules: SnapshotRules;
  /** The policy that the rules come from; null where they are the table's own. */
  readonly policy: string | null;
}

export interface ExpireOptions extends MaintenanceOptions {
  /** Reads and counts only. */
  readonly dryRun?: boolean;
}

/** What went, or would go, from one table. Bytes are those of the files. */
export interface ExpiredFrom extends DeletedFiles {
  readonly table: string;
  readonly policy: string | null;
  readonly snapshots: readonly bigint[];
  readonly refs: readonly string[];
}

export interface ExpireReport {
  readonly tables: readonly ExpiredFrom[];
  readonly refused: readonly RefusedTable[];
}

/** What `expireOne` commits, with the state that it was derived from. */
interface StagedExpiry extends Staged {
  readonly base: TableMetadata;
  readonly plan: ExpirePlan;
}

/**
 * Removes old snapshots and refs from tables by their rules at `nowMs` (the policy's clock), then deletes what only
 * those reached: by set difference over all refs of all tables as they are after the commit (DESIGN 4.3). Each
 * table is one commit under the lease that moves take too. A table that cannot be done comes back in `refused`.
 *
 * @throws LakeError `unknown-outcome` where it cannot be told whether a commit was applied (nothing was deleted), `unavailable`
 */
export async function expireTables(
  lake: TieredLake,
  targets: readonly ExpireTarget[],
  nowMs: number,
  options: ExpireOptions = {},
): Promise<ExpireReport> {
  const run = maintenanceRun(lake, options);
  const done: { readonly expired: ExpiredTable; readonly policy: string | null }[] = [];
  const refused: RefusedTable[] = [];
  for (const target of targets) {
    const name = tableName(target.table.identifier);
    try {
      const refusal = keptRefusal(run, target.table);
      if (refusal !== null) refused.push(refusal);
      const expire = options.dryRun === true ? planOne : expireOne;
      const expired = refusal === null ? await expire(run, target, nowMs) : null;
      if (expired !== null) done.push({ expired, policy: target.policy });
    } catch (error) {
      if (!(error instanceof LakeError) || isKind(error, 'unknown-outcome', 'unavailable')) throw error;
      refused.push(refusedBy(name, error));
    }
  }
  const expired = done.map((one) => one.expired);
  const deletion = await deleteExpired(run, expired, { dryRun: options.dryRun === true });
  return {
    tables: done.map(({ expired: { table, plan }, policy }, at) => ({
      table,
      policy,
      ...plan,
      ...(deletion.counts[at] ?? { files: 0, bytes: 0 }),
    })),
    refused: [...refused, ...deletion.refused],
  };
}

/** What an expiry would take out of a table's metadata at `nowMs`. Reads the journal, no files. */
export async function planTable(
  run: Pick<MaintenanceRun, 'journal'>,
  { table: { metadata }, rules }: ExpireTarget,
  nowMs: number,
): Promise<ExpirePlan> {
  return planExpire(metadata, rules, nowMs, await fencesInGrace(run, metadata));
}

async function planOne(
  run: MaintenanceRun,
  target: ExpireTarget,
  nowMs: number,
): Promise<ExpiredTable | null> {
  const plan = await planTable(run, target, nowMs);
  if (isEmptyPlan(plan)) return null;
  const { identifier, metadata } = target.table;
  return expiredTable(tableName(identifier), metadata, metadata, plan);
}

/** Plans and commits under the lease: no move is under way, and none begins between the plan and the commit. */
async function expireOne(
  run: MaintenanceRun,
  target: ExpireTarget,
  nowMs: number,
): Promise<ExpiredTable | null> {
  const { identifier, metadata: first } = target.table;
  const [name, uuid] = [tableName(identifier), first['table-uuid']];
  if (isEmptyPlan(await planTable(run, target, nowMs))) return null;
  return leased(run, { name, uuid }, async () => {
    await refuseInterrupted(run, name, uuid);
    const { table, staged } = await commitWithRetry<StagedExpiry>(run, identifier, async ({ metadata }) => {
      if (metadata['table-uuid'] !== uuid) throw madeAnew(name);
      const plan = planExpire(metadata, target.rules, nowMs, await fencesInGrace(run, metadata));
      if (isEmptyPlan(plan)) return null;
      await run.at('planned', name);
      return stage(metadata, plan);
    });
    if (staged === null) return null;
    await run.at('committed', name);
    return expiredTable(name, staged.base, table.metadata, staged.plan);
  });
}

function stage(metadata: TableMetadata, plan: ExpirePlan): StagedExpiry {
  const updates: TableUpdate[] = plan.refs.map((ref) => ({ action: 'remove-snapshot-ref', 'ref-name': ref }));
  if (plan.snapshots.length > 0) {
    updates.push({ action: 'remove-snapshots', 'snapshot-ids': plan.snapshots });
  }
  return {
    base: metadata,
    plan,
    requirements: [
      { type: 'assert-table-uuid', uuid: metadata['table-uuid'] },
      // What stays was counted from where each ref was. A ref that came since, the catalog looks after.
      ...Object.entries(metadata.refs).map(([ref, { 'snapshot-id': id }]) => ({
        type: 'assert-ref-snapshot-id' as const,
        ref,
        'snapshot-id': id,
      })),
    ],
    updates,
    applied: (now) => {
      const there = new Set(now.snapshots.map((one) => one['snapshot-id']));
      const refs = plan.refs.some(
        (ref) => now.refs[ref]?.['snapshot-id'] === metadata.refs[ref]?.['snapshot-id'],
      );
      return !refs && !plan.snapshots.some((id) => there.has(id));
    },
  };
}

function expiredTable(
  table: string,
  base: TableMetadata,
  after: TableMetadata,
  plan: ExpirePlan,
): ExpiredTable {
  const ids = new Set(plan.snapshots);
  const kept = after.snapshots.filter((one) => !ids.has(one['snapshot-id']));
  return { table, uuid: base['table-uuid'], plan, removed: { ...removedFrom(base, ids), kept } };
}

/** While a fence's grace runs, the catalog looks at it before a branch may be set back: it stays that long. */
async function fencesInGrace(
  { journal }: Pick<MaintenanceRun, 'journal'>,
  metadata: TableMetadata,
): Promise<Set<bigint>> {
  const fences = metadata.snapshots.filter((one) => one.summary[FENCE_PROPERTY] !== undefined);
  if (fences.length === 0) return new Set();
  const waiting = new Set((await journal.relocationsIn('swapped')).map((one) => one['relocation-id']));
  return new Set(
    fences.filter((one) => waiting.has(one.summary[FENCE_PROPERTY] ?? '')).map((one) => one['snapshot-id']),
  );
}

async function leased<T>(
  run: MaintenanceRun,
  table: { readonly name: string; readonly uuid: string },
  work: () => Promise<T>,
): Promise<T> {
  let held = false;
  try {
    return await withLease(run, table, async (lease) => {
      held = true;
      lease.check();
      return work();
    });
  } catch (error) {
    if (held || !isKind(error, 'conflict')) throw error;
    throw new LakeError('conflict', `files of ${table.name} are being moved, or another expiry is at work`, {
      where: table.name,
      hint: 'nothing was expired; run lake expire again when that is done',
      cause: error,
    });
  }
}

/** An interrupted move resumes from its journal, which names files that an expiry might delete. */
async function refuseInterrupted(run: MaintenanceRun, name: string, uuid: string): Promise<void> {
  const copying = await run.journal.relocationsIn('copying');
  if (!copying.some((one) => one['table-uuid'] === uuid)) return;
  throw new LakeError('conflict', `a move of ${name} was interrupted`, {
    where: name,
    hint: 'finish it with lake tier apply, then run lake expire again; nothing was expired',
  });
}

function madeAnew(name: string): LakeError {
  return new LakeError('not-found', `${name} was dropped and made anew meanwhile`, {
    where: name,
    hint: 'nothing was expired; run lake expire again',
  });
}
