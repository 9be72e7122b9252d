import type { ManifestContent, ManifestEntry, ManifestStatus } from './manifest.ts';
import type { FieldSummary, ManifestFile } from './manifest-file.ts';
import type { PartitionSpec } from './partition-spec.ts';
import { tupleType } from './partition-values.ts';
import type { Schema } from './schema.ts';
import type { PrimitiveValue, Type, Value } from './types.ts';
import { compareValues, encodeValue } from './values.ts';

export interface ManifestToSummarize {
  readonly path: string;
  /** In bytes. */
  readonly length: number;
  readonly spec: PartitionSpec;
  readonly schema: Schema;
  readonly content: ManifestContent;
  /** Of the snapshot that adds the manifest. */
  readonly snapshotId: bigint;
  readonly sequenceNumber: number;
  readonly entries: Iterable<ManifestEntry>;
}

/** The manifest as its manifest list has it: counts, lowest live sequence number, partition summaries. */
export function summarizeManifest(manifest: ManifestToSummarize): ManifestFile {
  const entries = [...manifest.entries];
  const files = (status: ManifestStatus): ManifestEntry[] =>
    entries.filter((entry) => entry.status === status);
  const [added, existing, deleted] = [files('added'), files('existing'), files('deleted')];
  const live = [...added, ...existing];
  return {
    manifestPath: manifest.path,
    manifestLength: manifest.length,
    partitionSpecId: manifest.spec['spec-id'],
    content: manifest.content,
    sequenceNumber: manifest.sequenceNumber,
    minSequenceNumber: live.reduce(
      (min, { sequenceNumber }) => Math.min(min, sequenceNumber ?? manifest.sequenceNumber),
      manifest.sequenceNumber,
    ),
    addedSnapshotId: manifest.snapshotId,
    addedFilesCount: added.length,
    existingFilesCount: existing.length,
    deletedFilesCount: deleted.length,
    addedRowsCount: countRows(added),
    existingRowsCount: countRows(existing),
    deletedRowsCount: countRows(deleted),
    partitions: summarizePartitions(manifest, entries),
  };
}

function countRows(entries: readonly ManifestEntry[]): number {
  return entries.reduce((rows, { dataFile }) => rows + dataFile.recordCount, 0);
}

/** Deleted entries count too: a scan for what a snapshot deleted prunes by the same summaries. */
function summarizePartitions(
  manifest: ManifestToSummarize,
  entries: readonly ManifestEntry[],
): FieldSummary[] {
  const tuples = entries.map(({ dataFile }) => dataFile.partition);
  return tupleType(manifest.spec, manifest.schema, tuples).fields.map((field, at) =>
    summarizeField(
      field.type,
      tuples.map((tuple) => tuple[at] ?? null),
    ),
  );
}

function summarizeField(type: Type, values: readonly Value[]): FieldSummary {
  let lower: PrimitiveValue | null = null;
  let upper: PrimitiveValue | null = null;
  for (const value of values) {
    if (value === null || Number.isNaN(value)) continue;
    if (lower === null || compareValues(type, value, lower) < 0) lower = value;
    if (upper === null || compareValues(type, value, upper) > 0) upper = value;
  }
  return {
    containsNull: values.includes(null),
    containsNan: values.some((value) => Number.isNaN(value)),
    ...(lower === null ? {} : { lowerBound: encodeValue(type, lower) }),
    ...(upper === null ? {} : { upperBound: encodeValue(type, upper) }),
  };
}
