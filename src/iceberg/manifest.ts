import { LakeError } from '../errors.ts';
import { type AvroRecord, fieldKey, readAvro, writeAvro } from './avro.ts';
import { isJsonObject, parseJson, stringifyJson } from './json.ts';
import type { ManifestFile } from './manifest-file.ts';
import { entrySchema, type ManifestFormatVersion } from './manifest-schema.ts';
import { type PartitionField, type PartitionSpec, partitionType } from './partition-spec.ts';
import { tupleFromAvro, tupleToAvro, tupleType } from './partition-values.ts';
import type { Schema } from './schema.ts';
import type { StructType, Value } from './types.ts';

/** What a file holds: rows, position deletes or equality deletes (spec: field 134). */
export type FileContent = 'data' | 'position-deletes' | 'equality-deletes';

/** A data or delete file (spec: "Manifests", struct `data_file`). Sizes in bytes, counts in rows or values. */
export interface DataFile {
  readonly content: FileContent;
  readonly filePath: string;
  readonly fileFormat: string;
  /** The partition tuple in the order of its spec's fields; see `Value` for the shapes. */
  readonly partition: readonly Value[];
  readonly recordCount: number;
  readonly fileSizeInBytes: number;
  /** By field id. */
  readonly columnSizes?: ReadonlyMap<number, number>;
  readonly valueCounts?: ReadonlyMap<number, number>;
  readonly nullValueCounts?: ReadonlyMap<number, number>;
  readonly nanValueCounts?: ReadonlyMap<number, number>;
  /** Single-value binary serialisation (spec: appendix D), by field id. */
  readonly lowerBounds?: ReadonlyMap<number, Uint8Array>;
  readonly upperBounds?: ReadonlyMap<number, Uint8Array>;
  readonly keyMetadata?: Uint8Array;
  readonly splitOffsets?: readonly number[];
  readonly equalityIds?: readonly number[];
  readonly sortOrderId?: number;
  readonly firstRowId?: number;
  readonly referencedDataFile?: string;
  readonly contentOffset?: number;
  readonly contentSizeInBytes?: number;
}

export type ManifestStatus = 'existing' | 'added' | 'deleted';

/**
 * A manifest entry (spec: struct `manifest_entry`). In a file read back, null snapshot id and sequence
 * numbers are inherited from the manifest list (`inheritEntry`).
 */
export interface ManifestEntry {
  readonly status: ManifestStatus;
  readonly snapshotId: bigint | null;
  readonly sequenceNumber: number | null;
  readonly fileSequenceNumber: number | null;
  readonly dataFile: DataFile;
}

export type ManifestContent = 'data' | 'deletes';

export interface ManifestToWrite {
  readonly schema: Schema;
  readonly spec: PartitionSpec;
  readonly content: ManifestContent;
  readonly formatVersion: ManifestFormatVersion;
  /** In the order they are to stand in. Null ids and numbers are inherited when the manifest is read. */
  readonly entries: Iterable<ManifestEntry>;
}

/** A manifest as it was written. */
export interface Manifest {
  /** The table's schema when the manifest was written. */
  readonly schema: Schema;
  readonly spec: PartitionSpec;
  readonly content: ManifestContent;
  readonly formatVersion: number;
  /** Decoded as they are read, every time anew; nothing is inherited yet (`inheritEntry`). */
  readonly entries: Iterable<ManifestEntry>;
}

export interface ManifestReading {
  /** False: column metrics and split offsets are skipped, which is most of an entry. Not for entries that are to be written again. Default true. */
  readonly metrics?: boolean;
}

/** Sizes, counts, bounds and split offsets. */
const METRICS: ReadonlySet<number> = new Set([108, 109, 110, 137, 125, 128, 132]);

/** An entry whose snapshot id and sequence numbers are known. */
export type InheritedEntry = ManifestEntry & {
  readonly snapshotId: bigint;
  readonly sequenceNumber: number;
  readonly fileSequenceNumber: number;
};

const STATUSES: readonly ManifestStatus[] = ['existing', 'added', 'deleted'];
const CONTENTS: readonly FileContent[] = ['data', 'position-deletes', 'equality-deletes'];

/**
 * Writes a manifest (spec: "Manifests"); the bytes depend on the arguments alone.
 *
 * @throws LakeError('invalid-argument') if an entry does not fit: a file of the other content, a tuple that is
 *   none of the spec, an existing or deleted entry without its sequence numbers.
 */
export function writeManifest(manifest: ManifestToWrite): Uint8Array {
  const { schema, spec, content, formatVersion } = manifest;
  const entries = [...manifest.entries];
  for (const entry of entries) checkEntry(entry, manifest);
  const tuples = tupleType(
    spec,
    schema,
    entries.map((entry) => entry.dataFile.partition),
  );
  const metadata = {
    schema: stringifyJson(schema),
    'schema-id': String(schema['schema-id']),
    'partition-spec': stringifyJson(spec.fields),
    'partition-spec-id': String(spec['spec-id']),
    'format-version': String(formatVersion),
    content,
  };
  const records = entries.map((entry) => entryToAvro(entry, tuples));
  return writeAvro(entrySchema(tuples, formatVersion), metadata, records);
}

/**
 * Reads a manifest of format v1, v2 or v3. Bytes that end early are found out when `entries` are read, unless
 * they end between two blocks: compare their length with the manifest list's.
 *
 * @throws LakeError('corrupt') if the bytes are no manifest, here or while `entries` are read.
 */
export function readManifest(bytes: Uint8Array, options: ManifestReading = {}): Manifest {
  const { metadata, records } = readAvro(bytes, options.metrics === false ? METRICS : undefined);
  const spec = parseSpec(metadata);
  const schema = parseSchema(metadata);
  const tuples = partitionType(spec, schema);
  const content = metadata.get('content') ?? 'data';
  if (content !== 'data' && content !== 'deletes') throw corrupt(`its content is ${content}`);
  return {
    schema,
    spec,
    content,
    formatVersion: integer(metadata.get('format-version') ?? '1'),
    entries: {
      *[Symbol.iterator]() {
        for (const record of records) yield entryFromAvro(record, tuples);
      },
    },
  };
}

/**
 * The entry with what it inherits from its manifest (spec: "Sequence Number Inheritance"). In manifests of
 * v1, which have no sequence numbers, they are 0.
 *
 * @throws LakeError('corrupt') for an existing or deleted entry of v2 without its sequence numbers.
 */
export function inheritEntry(entry: ManifestEntry, manifestFile: ManifestFile): InheritedEntry {
  const inherits = entry.status === 'added' || manifestFile.sequenceNumber === 0;
  const inherited = (own: number | null): number => {
    if (own !== null) return own;
    if (inherits) return manifestFile.sequenceNumber;
    throw new LakeError('corrupt', `the entry of ${entry.dataFile.filePath} has no sequence number`, {
      where: manifestFile.manifestPath,
      hint: `it is ${entry.status} and may not inherit one; the manifest was written wrongly`,
    });
  };
  return {
    status: entry.status,
    snapshotId: entry.snapshotId ?? manifestFile.addedSnapshotId,
    sequenceNumber: inherited(entry.sequenceNumber),
    fileSequenceNumber: inherited(entry.fileSequenceNumber),
    dataFile: entry.dataFile,
  };
}

function checkEntry(entry: ManifestEntry, { spec, content }: ManifestToWrite): void {
  const { dataFile, status } = entry;
  const refuse = (reason: string): never => {
    throw new LakeError('invalid-argument', `${dataFile.filePath} cannot stand in the manifest: ${reason}`, {
      hint: 'nothing was written',
    });
  };
  if ((dataFile.content === 'data') !== (content === 'data')) {
    refuse(`it is a ${dataFile.content} file and the manifest lists ${content}`);
  }
  if (dataFile.partition.length !== spec.fields.length) {
    refuse(`its partition has ${dataFile.partition.length} values and the spec ${spec.fields.length} fields`);
  }
  const unnumbered = entry.sequenceNumber === null || entry.fileSequenceNumber === null;
  if (status !== 'added' && unnumbered) refuse(`${status} entries carry their sequence numbers`);
  if (status === 'deleted' && entry.snapshotId === null) refuse('it does not tell which snapshot deleted it');
}

function entryToAvro(entry: ManifestEntry, tuples: StructType): AvroRecord {
  return keyed([
    [0, STATUSES.indexOf(entry.status)],
    [1, entry.snapshotId],
    [3, entry.sequenceNumber],
    [4, entry.fileSequenceNumber],
    [2, dataFileToAvro(entry.dataFile, tuples)],
  ]);
}

function dataFileToAvro(file: DataFile, tuples: StructType): AvroRecord {
  return keyed([
    [134, CONTENTS.indexOf(file.content)],
    [100, file.filePath],
    [101, file.fileFormat],
    [102, tupleToAvro(tuples, file.partition)],
    [103, file.recordCount],
    [104, file.fileSizeInBytes],
    [108, pairs(117, 118, file.columnSizes)],
    [109, pairs(119, 120, file.valueCounts)],
    [110, pairs(121, 122, file.nullValueCounts)],
    [137, pairs(138, 139, file.nanValueCounts)],
    [125, pairs(126, 127, file.lowerBounds)],
    [128, pairs(129, 130, file.upperBounds)],
    [131, file.keyMetadata && Buffer.from(file.keyMetadata)],
    [132, file.splitOffsets],
    [135, file.equalityIds],
    [140, file.sortOrderId],
    [142, file.firstRowId],
    [143, file.referencedDataFile],
    [144, file.contentOffset],
    [145, file.contentSizeInBytes],
  ]);
}

function keyed(fields: readonly (readonly [number, unknown])[]): AvroRecord {
  return Object.fromEntries(fields.map(([id, value]) => [fieldKey(id), value ?? null]));
}

function pairs(
  keyId: number,
  valueId: number,
  map: ReadonlyMap<number, number | Uint8Array> | undefined,
): unknown {
  if (!map) return null;
  const [key, value] = [fieldKey(keyId), fieldKey(valueId)];
  return Array.from(map, ([id, item]) => ({
    [key]: id,
    [value]: item instanceof Uint8Array ? Buffer.from(item) : item,
  }));
}

/** The keys of the fields that are read, made once: there are millions of entries. */
const KEY = {
  status: fieldKey(0),
  snapshotId: fieldKey(1),
  sequenceNumber: fieldKey(3),
  fileSequenceNumber: fieldKey(4),
  dataFile: fieldKey(2),
  content: fieldKey(134),
  filePath: fieldKey(100),
  fileFormat: fieldKey(101),
  partition: fieldKey(102),
  recordCount: fieldKey(103),
  fileSizeInBytes: fieldKey(104),
} as const;

function entryFromAvro(record: AvroRecord, tuples: StructType): ManifestEntry {
  const status = STATUSES[Number(record[KEY.status])];
  if (!status) throw corrupt('an entry has an unknown status');
  return {
    status,
    snapshotId: bigintOf(record[KEY.snapshotId]),
    sequenceNumber: numberOf(record[KEY.sequenceNumber]) ?? null,
    fileSequenceNumber: numberOf(record[KEY.fileSequenceNumber]) ?? null,
    dataFile: dataFileFromAvro(recordOf(record[KEY.dataFile]), tuples),
  };
}

function dataFileFromAvro(record: AvroRecord, tuples: StructType): DataFile {
  const content = CONTENTS[Number(record[KEY.content] ?? 0)];
  if (!content) throw corrupt('an entry has an unknown content');
  const file: DataFile = {
    content,
    filePath: pathOf(record[KEY.filePath]),
    fileFormat: required(textOf(record[KEY.fileFormat]), 'file_format'),
    partition: tupleFromAvro(tuples, recordOf(record[KEY.partition])),
    recordCount: required(numberOf(record[KEY.recordCount]), 'record_count'),
    fileSizeInBytes: required(numberOf(record[KEY.fileSizeInBytes]), 'file_size_in_bytes'),
  };
  const optional: Record<string, unknown> = file as DataFile & Record<string, unknown>;
  for (const { name, key, decode } of OPTIONAL) {
    const value = record[key];
    if (value === null || value === undefined) continue;
    const decoded = decode(value);
    if (decoded !== undefined) optional[name] = decoded;
  }
  return file;
}

type OptionalField = {
  readonly [K in keyof DataFile]-?: undefined extends DataFile[K] ? K : never;
}[keyof DataFile];

const OPTIONAL = (
  [
    ['columnSizes', 108, mapOf(117, 118, numberOf)],
    ['valueCounts', 109, mapOf(119, 120, numberOf)],
    ['nullValueCounts', 110, mapOf(121, 122, numberOf)],
    ['nanValueCounts', 137, mapOf(138, 139, numberOf)],
    ['lowerBounds', 125, mapOf(126, 127, bytesOf)],
    ['upperBounds', 128, mapOf(129, 130, bytesOf)],
    ['keyMetadata', 131, bytesOf],
    ['splitOffsets', 132, numbersOf],
    ['equalityIds', 135, numbersOf],
    ['sortOrderId', 140, numberOf],
    ['firstRowId', 142, numberOf],
    ['referencedDataFile', 143, textOf],
    ['contentOffset', 144, numberOf],
    ['contentSizeInBytes', 145, numberOf],
  ] satisfies readonly (readonly [OptionalField, number, (value: unknown) => unknown])[]
).map(([name, id, decode]) => ({ name, key: fieldKey(id), decode }));

function required<T>(value: T | undefined, field: string): T {
  if (value === undefined) throw corrupt(`an entry has no ${field}`);
  return value;
}

/** No store has an object with NUL in its name, and some readers end a name there. */
function pathOf(value: unknown): string {
  const path = required(textOf(value), 'file_path');
  if (path.includes('\0')) throw corrupt('an entry has a file_path with a NUL character in it');
  return path;
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

function bigintOf(value: unknown): bigint | null {
  return typeof value === 'bigint' ? value : null;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function bytesOf(value: unknown): Uint8Array | undefined {
  // The decoder has copied the bytes out of the file already.
  return value instanceof Uint8Array
    ? new Uint8Array(value.buffer, value.byteOffset, value.length)
    : undefined;
}

function numbersOf(value: unknown): readonly number[] | undefined {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'number') : undefined;
}

function recordOf(value: unknown): AvroRecord {
  return typeof value === 'object' && value !== null ? (value as AvroRecord) : {};
}

function mapOf<V>(
  keyId: number,
  valueId: number,
  item: (value: unknown) => V | undefined,
): (value: unknown) => ReadonlyMap<number, V> | undefined {
  const [keyKey, valueKey] = [fieldKey(keyId), fieldKey(valueId)];
  return (value) => {
    if (!Array.isArray(value)) return undefined;
    const map = new Map<number, V>();
    for (const pair of value) {
      const [key, held] = [numberOf(pair[keyKey]), item(pair[valueKey])];
      if (key !== undefined && held !== undefined) map.set(key, held);
    }
    return map;
  };
}

function parseSchema(metadata: ReadonlyMap<string, string>): Schema {
  const json = parseJson(metadata.get('schema') ?? 'null');
  if (!isJsonObject(json) || !Array.isArray(json['fields'])) throw corrupt('it carries no table schema');
  const id = json['schema-id'] ?? integer(metadata.get('schema-id') ?? '0');
  return { ...json, type: 'struct', 'schema-id': id } as Schema;
}

/** The header has the spec's fields alone; those of early v1 writers have no ids. */
function parseSpec(metadata: ReadonlyMap<string, string>): PartitionSpec {
  const json = parseJson(metadata.get('partition-spec') ?? 'null');
  const listed = isJsonObject(json) ? json['fields'] : json;
  if (!Array.isArray(listed)) throw corrupt('it carries no partition spec');
  const fields = listed.map((field, at) => ({ 'field-id': 1000 + at, ...field }) as PartitionField);
  return { 'spec-id': integer(metadata.get('partition-spec-id') ?? '0'), fields };
}

function integer(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw corrupt(`${text} in its header is no integer`);
  return value;
}

function corrupt(reason: string): LakeError {
  return new LakeError('corrupt', `not a valid manifest: ${reason}`, {
    hint: 'the object is damaged or was cut off; restore it from a backup',
  });
}
