import { LakeError } from '../errors.ts';
import { type AvroRecord, type AvroSchema, fieldKey, readAvro, writeAvro } from './avro.ts';
import type { FieldSummary, ManifestFile } from './manifest-file.ts';
import { avroField, list, type ManifestFormatVersion, record } from './manifest-schema.ts';

export type { FieldSummary, ManifestFile } from './manifest-file.ts';
export { summarizeManifest } from './manifest-summary.ts';

export interface ManifestListHeader {
  readonly snapshotId: bigint;
  readonly parentSnapshotId?: bigint | null | undefined;
  readonly sequenceNumber: number;
  readonly formatVersion: ManifestFormatVersion;
  /** v3: the snapshot's first row id. */
  readonly firstRowId?: number | undefined;
}

/** A count of a v1 manifest list that its writer left out. */
const UNKNOWN_COUNT = -1;

/**
 * Writes a manifest list (spec: "Manifest Lists"); the bytes depend on the arguments alone.
 *
 * @throws LakeError('invalid-argument') for unknown counts, which format v2 does not have.
 */
export function writeManifestList(header: ManifestListHeader, manifests: Iterable<ManifestFile>): Uint8Array {
  const { formatVersion, firstRowId } = header;
  const metadata = {
    'snapshot-id': String(header.snapshotId),
    'parent-snapshot-id': String(header.parentSnapshotId ?? null),
    'sequence-number': String(header.sequenceNumber),
    ...(formatVersion >= 3 && firstRowId !== undefined ? { 'first-row-id': String(firstRowId) } : {}),
    'format-version': String(formatVersion),
  };
  return writeAvro(listSchema(formatVersion), metadata, Array.from(manifests, manifestToAvro));
}

/**
 * Reads a manifest list of format v1, v2 or v3, as far as the caller reads on; sequence numbers of v1 are 0.
 *
 * @throws LakeError('corrupt') if the bytes are no manifest list, here or while the manifests are read.
 */
export function readManifestList(bytes: Uint8Array): Iterable<ManifestFile> {
  const { records } = readAvro(bytes);
  return {
    *[Symbol.iterator]() {
      for (const item of records) yield manifestFromAvro(item);
    },
  };
}

function listSchema(formatVersion: ManifestFormatVersion): AvroSchema {
  const summary = record('r508', [
    avroField(509, 'contains_null', 'boolean', true),
    avroField(518, 'contains_nan', 'boolean', false),
    avroField(510, 'lower_bound', 'bytes', false),
    avroField(511, 'upper_bound', 'bytes', false),
  ]);
  return record('manifest_file', [
    avroField(500, 'manifest_path', 'string', true),
    avroField(501, 'manifest_length', 'long', true),
    avroField(502, 'partition_spec_id', 'int', true),
    avroField(517, 'content', 'int', true),
    avroField(515, 'sequence_number', 'long', true),
    avroField(516, 'min_sequence_number', 'long', true),
    avroField(503, 'added_snapshot_id', 'long', true),
    avroField(504, 'added_files_count', 'int', true),
    avroField(505, 'existing_files_count', 'int', true),
    avroField(506, 'deleted_files_count', 'int', true),
    avroField(512, 'added_rows_count', 'long', true),
    avroField(513, 'existing_rows_count', 'long', true),
    avroField(514, 'deleted_rows_count', 'long', true),
    avroField(507, 'partitions', list(508, summary), false),
    avroField(519, 'key_metadata', 'bytes', false),
    ...(formatVersion >= 3 ? [avroField(520, 'first_row_id', 'long', false)] : []),
  ]);
}

function manifestToAvro(manifest: ManifestFile): AvroRecord {
  const counts = [
    [504, manifest.addedFilesCount],
    [505, manifest.existingFilesCount],
    [506, manifest.deletedFilesCount],
    [512, manifest.addedRowsCount],
    [513, manifest.existingRowsCount],
    [514, manifest.deletedRowsCount],
  ] as const;
  if (counts.some(([, count]) => count < 0)) {
    throw new LakeError(
      'invalid-argument',
      `the files and rows of ${manifest.manifestPath} are not counted`,
      {
        hint: 'nothing was written; count its entries (summarizeManifest) first',
      },
    );
  }
  return keyed([
    [500, manifest.manifestPath],
    [501, manifest.manifestLength],
    [502, manifest.partitionSpecId],
    [517, manifest.content === 'data' ? 0 : 1],
    [515, manifest.sequenceNumber],
    [516, manifest.minSequenceNumber],
    [503, manifest.addedSnapshotId],
    ...counts,
    [507, manifest.partitions?.map(summaryToAvro)],
    [519, bufferOf(manifest.keyMetadata)],
    [520, manifest.firstRowId],
  ]);
}

function summaryToAvro(summary: FieldSummary): AvroRecord {
  return keyed([
    [509, summary.containsNull],
    [518, summary.containsNan],
    [510, bufferOf(summary.lowerBound)],
    [511, bufferOf(summary.upperBound)],
  ]);
}

function manifestFromAvro(item: AvroRecord): ManifestFile {
  const at = (id: number): unknown => item[fieldKey(id)];
  const count = (id: number): number => numberOf(at(id)) ?? UNKNOWN_COUNT;
  const [path, addedSnapshotId] = [at(500), at(503)];
  if (typeof path !== 'string' || typeof addedSnapshotId !== 'bigint') {
    throw corrupt('an entry has no path or no snapshot id');
  }
  const partitions = at(507);
  const keyMetadata = bytesOf(at(519));
  const firstRowId = numberOf(at(520));
  return {
    manifestPath: path,
    manifestLength: numberOf(at(501)) ?? 0,
    partitionSpecId: numberOf(at(502)) ?? 0,
    content: contentOf(at(517)),
    sequenceNumber: numberOf(at(515)) ?? 0,
    minSequenceNumber: numberOf(at(516)) ?? 0,
    addedSnapshotId,
    addedFilesCount: count(504),
    existingFilesCount: count(505),
    deletedFilesCount: count(506),
    addedRowsCount: count(512),
    existingRowsCount: count(513),
    deletedRowsCount: count(514),
    ...(Array.isArray(partitions) ? { partitions: partitions.map(summaryFromAvro) } : {}),
    ...(keyMetadata ? { keyMetadata } : {}),
    ...(firstRowId === undefined ? {} : { firstRowId }),
  };
}

function summaryFromAvro(item: AvroRecord): FieldSummary {
  const containsNan = item[fieldKey(518)];
  const lowerBound = bytesOf(item[fieldKey(510)]);
  const upperBound = bytesOf(item[fieldKey(511)]);
  return {
    containsNull: item[fieldKey(509)] !== false,
    ...(typeof containsNan === 'boolean' ? { containsNan } : {}),
    ...(lowerBound ? { lowerBound } : {}),
    ...(upperBound ? { upperBound } : {}),
  };
}

function contentOf(value: unknown): ManifestFile['content'] {
  if (value === undefined || value === 0) return 'data';
  if (value === 1) return 'deletes';
  throw corrupt(`an entry has the unknown content ${String(value)}`);
}

function keyed(fields: readonly (readonly [number, unknown])[]): AvroRecord {
  return Object.fromEntries(fields.map(([id, value]) => [fieldKey(id), value ?? null]));
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

function bytesOf(value: unknown): Uint8Array | undefined {
  return value instanceof Uint8Array ? new Uint8Array(value) : undefined;
}

function bufferOf(bytes: Uint8Array | undefined): Buffer | null {
  return bytes ? Buffer.from(bytes) : null;
}

function corrupt(reason: string): LakeError {
  return new LakeError('corrupt', `not a valid manifest list: ${reason}`, {
    hint: 'the object is damaged or was cut off; restore it from a backup',
  });
}
