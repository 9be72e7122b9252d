import { LakeError } from '../errors.ts';
import type { ManifestEntry } from '../iceberg/manifest.ts';
import type { ManifestFile } from '../iceberg/manifest-list.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { type LoadedEntry, readManifestContent } from './manifests.ts';

/** When a commit merges manifests: the table's properties, named and defaulting as in Iceberg Java. */
export interface MergeRules {
  readonly enabled: boolean;
  /** The newest manifests are merged once there are so many. */
  readonly minCount: number;
  /** How large merged manifests become, in bytes. */
  readonly targetBytes: number;
}

/** The rules that a table's properties give. Errors: `invalid-argument` for a value that is no positive integer. */
export function mergeRules(properties: Readonly<Record<string, string>>): MergeRules {
  return {
    enabled: properties['commit.manifest-merge.enabled'] !== 'false',
    minCount: positive(properties, 'commit.manifest.min-count-to-merge', 100),
    targetBytes: positive(properties, 'commit.manifest.target-size-bytes', 8 * 1024 * 1024),
  };
}

function positive(properties: Readonly<Record<string, string>>, name: string, byDefault: number): number {
  const text = properties[name];
  if (text === undefined) return byDefault;
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new LakeError('invalid-argument', `The table property ${name} is "${text}"`, {
    hint: 'It takes a positive whole number. Nothing was changed.',
  });
}

/**
 * Groups manifests (newest first) into bins up to the target size, each of one partition spec and content; a bin of one stays as it is. Bins are
 * filled from the oldest manifest on, so that full ones stay as they are commit after commit; the newest bin of a spec waits until it has
 * `minCount` manifests. Manifests without live files that an earlier snapshot `added` are left out, as are empty ones. Pure.
 */
export function planMerge(
  manifests: readonly ManifestFile[],
  rules: MergeRules,
  snapshotId: bigint,
): (readonly ManifestFile[])[] {
  const worth = manifests.filter(
    (file) =>
      file.addedSnapshotId === snapshotId || file.addedFilesCount !== 0 || file.existingFilesCount !== 0,
  );
  const groups = Map.groupBy(worth, (file) => `${file.content} ${file.partitionSpecId}`);
  return [...groups.values()].flatMap((group) => packed(group, rules));
}

function packed(group: readonly ManifestFile[], rules: MergeRules): (readonly ManifestFile[])[] {
  // An encrypted manifest is kept: what this version writes is not.
  const [kept, plain] = [
    group.filter((file) => file.keyMetadata !== undefined),
    group.filter((file) => file.keyMetadata === undefined),
  ];
  const bins: ManifestFile[][] = [];
  let [bin, bytes]: [ManifestFile[], number] = [[], 0];
  for (const file of plain.toReversed()) {
    if (bin.length > 0 && bytes + file.manifestLength > rules.targetBytes) {
      bins.unshift(bin);
      [bin, bytes] = [[], 0];
    }
    bin.unshift(file);
    bytes += file.manifestLength;
  }
  const newest = bin.length < rules.minCount ? bin.map((file) => [file]) : [bin];
  return [...newest, ...bins, ...kept.map((file) => [file])];
}

/** Manifests read at once. */
const READS = 8;

/**
 * The entries of a merged manifest (spec: "Manifests", status): files added by earlier snapshots are existing ones with their snapshot ids and explicit
 * sequence numbers, what this snapshot added and deleted stays so, and what earlier ones deleted is dropped. Errors: `not-found`, `corrupt`.
 */
export async function mergedEntries(
  objects: ObjectStore,
  bin: readonly ManifestFile[],
  own: { readonly snapshotId: bigint; readonly sequenceNumber: number },
): Promise<ManifestEntry[]> {
  const merged: ManifestEntry[] = [];
  for (let at = 0; at < bin.length; at += READS) {
    const contents = await Promise.all(
      bin.slice(at, at + READS).map((file) => readManifestContent(objects, file)),
    );
    for (const { entries } of contents) {
      for (const entry of entries) {
        const kept = mergedEntry(entry, own);
        if (kept !== null) merged.push(kept);
      }
    }
  }
  return merged;
}

function mergedEntry(
  entry: LoadedEntry,
  own: { readonly snapshotId: bigint; readonly sequenceNumber: number },
): ManifestEntry | null {
  const isOwn = entry.snapshotId === own.snapshotId;
  if (entry.status === 'deleted') return isOwn ? entry : null;
  if (!isOwn || entry.status === 'existing') return { ...entry, status: 'existing' };
  // Inherited as in the manifest that it came from; a number of its own (of rewritten rows) stays.
  const sequenceNumber = entry.sequenceNumber === own.sequenceNumber ? null : entry.sequenceNumber;
  return { ...entry, sequenceNumber, fileSequenceNumber: null };
}
