import { type ManifestEntry, writeManifest } from '../iceberg/manifest.ts';
import { type ManifestFile, summarizeManifest, writeManifestList } from '../iceberg/manifest-list.ts';
import { MAIN_BRANCH } from '../iceberg/refs.ts';
import type { Snapshot } from '../iceberg/snapshot.ts';
import type { TableMetadata } from '../iceberg/table-metadata.ts';
import type { RetiredEntry } from './history-rewrite.ts';
import { FENCE_PROPERTY } from './protocol.ts';
import { retainedAncestry } from './staged-work.ts';

/** One object to be written. */
export interface NewObject {
  readonly location: string;
  readonly bytes: Uint8Array;
}

export interface Fence {
  readonly ref: string;
  readonly snapshot: Snapshot;
  readonly objects: readonly NewObject[];
}

export interface FenceInput {
  readonly ref: string;
  readonly snapshotId: bigint;
  readonly sequenceNumber: number;
  readonly relocationId: string;
  /** Wall clock, ms. */
  readonly nowMs: number;
  readonly metadata: TableMetadata;
  readonly head: Snapshot;
  /** The head's manifests after the rewrite. */
  readonly manifests: readonly ManifestFile[];
  /** One for each data path that the branch's retained history named and that is retired. */
  readonly retired: readonly RetiredEntry[];
  /** A new location in the table's metadata folder for a file name. */
  place(name: string): string;
}

/** The branches (main first) whose retained history holds a changed snapshot. */
export function affectedBranches(metadata: TableMetadata, changed: ReadonlySet<bigint>): string[] {
  return Object.entries(metadata.refs)
    .filter(([, ref]) => ref.type === 'branch')
    .filter(([, ref]) =>
      retainedAncestry(metadata, ref['snapshot-id']).some((one) => changed.has(one['snapshot-id'])),
    )
    .map(([name]) => name)
    .sort((a, b) => Number(b === MAIN_BRANCH) - Number(a === MAIN_BRANCH) || (a < b ? -1 : 1));
}

/**
 * The fence of a branch (DESIGN 4.2 step 6): a `replace` snapshot of the head's rewritten manifests and, per
 * partition spec, one manifest of tombstones. A writer that planned on an old path then fails its
 * `assert-ref-snapshot-id`, refreshes, and its validation finds the tombstone. Pure: the caller writes the objects.
 */
export function buildFence(input: FenceInput): Fence {
  const bySpec = new Map<number, RetiredEntry[]>();
  for (const one of input.retired) {
    const specId = one.content.spec['spec-id'];
    bySpec.set(specId, [...(bySpec.get(specId) ?? []), one]);
  }
  const tombstones = [...bySpec.values()].map((entries) => tombstoneManifest(input, entries));
  const list: NewObject = {
    location: input.place(`snap-${input.snapshotId}.avro`),
    bytes: writeManifestList(
      {
        snapshotId: input.snapshotId,
        parentSnapshotId: input.head['snapshot-id'],
        sequenceNumber: input.sequenceNumber,
        formatVersion: 2,
      },
      [...input.manifests, ...tombstones.map((one) => one.file)],
    ),
  };
  return {
    ref: input.ref,
    snapshot: fenceSnapshot(input, list.location),
    objects: [...tombstones.map((one) => one.object), list],
  };
}

/** DELETED entries only: an ADDED one would make an expiry of Iceberg 1.9.1 delete the live file. */
function tombstoneManifest(input: FenceInput, retired: readonly RetiredEntry[]) {
  const { spec, schema } = retired[0]!.content;
  const entries = retired.map(
    ({ entry }): ManifestEntry => ({ ...entry, status: 'deleted', snapshotId: input.snapshotId }),
  );
  const bytes = writeManifest({ schema, spec, content: 'data', formatVersion: 2, entries });
  const location = input.place(`fence-${input.snapshotId}-${spec['spec-id']}.avro`);
  const file = summarizeManifest({
    path: location,
    length: bytes.length,
    spec,
    schema,
    content: 'data',
    snapshotId: input.snapshotId,
    sequenceNumber: input.sequenceNumber,
    entries,
  });
  return { file, object: { location, bytes } };
}

function fenceSnapshot(input: FenceInput, manifestList: string): Snapshot {
  const { head, metadata, ref } = input;
  const totals = Object.entries(head.summary).filter(([key]) => key.startsWith('total-'));
  const now = Math.max(input.nowMs, metadata['last-updated-ms'], head['timestamp-ms']);
  return {
    'snapshot-id': input.snapshotId,
    'parent-snapshot-id': head['snapshot-id'],
    'sequence-number': input.sequenceNumber,
    // A newer time on another branch or its tag-like use would renew its max-ref-age.
    'timestamp-ms': ref === MAIN_BRANCH ? now : head['timestamp-ms'],
    'manifest-list': manifestList,
    summary: {
      operation: 'replace',
      ...Object.fromEntries(totals),
      [FENCE_PROPERTY]: input.relocationId,
      'lake.moved-data-files': String(input.retired.length),
    },
    ...(head['schema-id'] === undefined ? {} : { 'schema-id': head['schema-id'] }),
  };
}
