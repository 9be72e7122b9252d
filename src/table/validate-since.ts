import { LakeError } from '../errors.ts';
import type { DataFile } from '../iceberg/manifest.ts';
import type { PartitionSpec } from '../iceberg/partition-spec.ts';
import type { Snapshot } from '../iceberg/snapshot.ts';
import { ancestors, specById, type TableMetadata } from '../iceberg/table-metadata.ts';
import { FENCE_PROPERTY } from '../tiering/protocol.ts';
import { readManifestContent, snapshotManifests } from './manifests.ts';
import { branchSnapshot } from './stage-snapshot.ts';
import type { Table } from './table.ts';

/** `serializable`: rows that came since count as conflicts; `snapshot`: only rows that went do. */
export type Isolation = 'serializable' | 'snapshot';

/** A table's isolation for an operation by its property, such as `write.merge.isolation-level`; serializable unless said otherwise. */
export function isolationLevel(metadata: TableMetadata, property: string): Isolation {
  const value = metadata.properties[property] ?? 'serializable';
  if (value === 'serializable' || value === 'snapshot') return value;
  throw new LakeError('invalid-argument', `The table property ${property} is "${value}"`, {
    hint: 'It takes serializable or snapshot. Nothing was changed.',
  });
}

export interface ValidationRules {
  readonly branch: string;
  /** What the change was computed from; null for a branch without a snapshot. */
  readonly since: bigint | null;
  readonly isolation: Isolation;
  /** Whether a file may hold, or delete, rows that the change depends on. */
  concerns(file: DataFile, spec: PartitionSpec): boolean;
}

/**
 * Checks that nothing which a change depends on was committed to the branch since the snapshot it was computed from, as Iceberg Java's row-level
 * operations do: data files added (serializable only) or removed, and delete files added, that may concern it. Compactions and moves between
 * tiers change no rows and are no conflict.
 * Errors: `stale-plan` naming what came, or where the history since is not retained any more and so cannot be checked.
 */
export async function validateSince(table: Table, rules: ValidationRules): Promise<void> {
  const head = branchSnapshot(table.metadata, rules.branch);
  if ((head?.['snapshot-id'] ?? null) === rules.since) return;
  for (const snapshot of snapshotsSince(table, head, rules.since)) {
    if (snapshot.summary.operation !== 'replace') await checkSnapshot(table, snapshot, rules);
  }
}

/** True if nothing but appends and moves between tiers are known to have come since: every file of then is live and has its rows. */
export function isAppendOnlySince(table: Table, branch: string, since: bigint | null): boolean {
  const newer = lineSince(table.metadata, branchSnapshot(table.metadata, branch), since);
  const isHarmless = ({ summary }: Snapshot): boolean =>
    summary.operation === 'append' || summary[FENCE_PROPERTY] !== undefined;
  return newer?.every(isHarmless) ?? false;
}

function snapshotsSince(table: Table, head: Snapshot | undefined, since: bigint | null): Snapshot[] {
  const newer = lineSince(table.metadata, head, since);
  if (newer) return newer;
  throw stale(table, `its history since snapshot ${since} is not there any more`);
}

/** The snapshots of a line that are newer than `since`, newest first; null where the line does not lead back to it. */
export function lineSince(
  metadata: TableMetadata,
  head: Snapshot | undefined,
  since: bigint | null,
): Snapshot[] | null {
  const newer: Snapshot[] = [];
  for (const snapshot of head ? ancestors(metadata, head['snapshot-id']) : []) {
    if (snapshot['snapshot-id'] === since) return newer;
    newer.push(snapshot);
  }
  const root = newer.at(-1);
  return since === null && root?.['parent-snapshot-id'] === undefined ? newer : null;
}

async function checkSnapshot(table: Table, snapshot: Snapshot, rules: ValidationRules): Promise<void> {
  const { metadata, context } = table;
  const id = snapshot['snapshot-id'];
  for (const manifest of await snapshotManifests(context.objects, snapshot)) {
    if (manifest.addedSnapshotId !== id) continue;
    const spec = specById(metadata, manifest.partitionSpecId);
    for (const entry of (await readManifestContent(context.objects, manifest)).entries) {
      if (entry.snapshotId !== id || entry.status === 'existing') continue;
      const isData = entry.dataFile.content === 'data';
      // A delete file that went took its rows along, or names none any more.
      if (!isData && entry.status === 'deleted') continue;
      if (isData && entry.status === 'added' && rules.isolation === 'snapshot') continue;
      if (!rules.concerns(entry.dataFile, spec)) continue;
      const what = isData ? `${entry.status} data file` : 'added delete file';
      throw stale(
        table,
        `snapshot ${id} (${snapshot.summary.operation}) has the ${what} ${entry.dataFile.filePath}`,
      );
    }
  }
}

function stale(table: Table, what: string): LakeError {
  return new LakeError(
    'stale-plan',
    `${table.name} has changed since the rows of this change were computed: ${what}`,
    {
      hint: 'Nothing was changed. Run it again from the current state.',
    },
  );
}
