import { LakeError } from '../errors.ts';
import { type AvroRecord, fieldKey, readAvro, writeAvro } from './avro.ts';
import { parseJson, stringifyJson } from './json.ts';
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
export function readManifest(bytes: Uint8Array): Manifest {
  const { metadata, records } = readAvro(bytes);
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
    ...entry,
    snapshotId: entry.snapshotId ?? manifestFile.addedSnapshotId,
    sequenceNumber: inherited(entry.sequenceNumber),
    fileSequenceNumber: inherited(entry.fileSequenceNumber),
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

function entryFromAvro(record: AvroRecord, tuples: StructType): ManifestEntry {
  const status = STATUSES[Number(record[fieldKey(0)])];
  if (!status) throw corrupt('an entry has an unknown status');
  return {
    status,
    snapshotId: bigintOf(record[fieldKey(1)]),
    sequenceNumber: numberOf(record[fieldKey(3)]) ?? null,
    fileSequenceNumber: numberOf(record[fieldKey(4)]) ?? null,
    dataFile: dataFileFromAvro(recordOf(record[fieldKey(2)]), tuples),
  };
}

function dataFileFromAvro(record: AvroRecord, tuples: StructType): DataFile {
  const at = (id: number): unknown => record[fieldKey(id)];
  const content = CONTENTS[Number(at(134) ?? 0)];
  if (!content) throw corrupt('an entry has an unknown content');
  return {
    content,
    filePath: required(textOf(at(100)), 'file_path'),
    fileFormat: required(textOf(at(101)), 'file_format'),
    partition: tupleFromAvro(tuples, recordOf(at(102))),
    recordCount: required(numberOf(at(103)), 'record_count'),
    fileSizeInBytes: required(numberOf(at(104)), 'file_size_in_bytes'),
    ...optional('columnSizes', mapOf(at(108), 117, 118, numberOf)),
    ...optional('valueCounts', mapOf(at(109), 119, 120, numberOf)),
    ...optional('nullValueCounts', mapOf(at(110), 121, 122, numberOf)),
    ...optional('nanValueCounts', mapOf(at(137), 138, 139, numberOf)),
    ...optional('lowerBounds', mapOf(at(125), 126, 127, bytesOf)),
    ...optional('upperBounds', mapOf(at(128), 129, 130, bytesOf)),
    ...optional('keyMetadata', bytesOf(at(131))),
    ...optional('splitOffsets', numbersOf(at(132))),
    ...optional('equalityIds', numbersOf(at(135))),
    ...optional('sortOrderId', numberOf(at(140))),
    ...optional('firstRowId', numberOf(at(142))),
    ...optional('referencedDataFile', textOf(at(143))),
    ...optional('contentOffset', numberOf(at(144))),
    ...optional('contentSizeInBytes', numberOf(at(145))),
  };
}

function optional<K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { readonly [P in K]?: V };
}

function required<T>(value: T | undefined, field: string): T {
  if (value === undefined) throw corrupt(`an entry has no ${field}`);
  return value;
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
  return value instanceof Uint8Array ? new Uint8Array(value) : undefined;
}

function numbersOf(value: unknown): readonly number[] | undefined {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'number') : undefined;
}

function recordOf(value: unknown): AvroRecord {
  return typeof value === 'object' && value !== null ? (value as AvroRecord) : {};
}

function mapOf<V>(
  value: unknown,
  keyId: number,
  valueId: number,
  item: (value: unknown) => V | undefined,
): ReadonlyMap<number, V> | undefined {
  if (!Array.isArray(value)) return undefined;
  const map = new Map<number, V>();
  for (const pair of value) {
    const [key, held] = [numberOf(pair[fieldKey(keyId)]), item(pair[fieldKey(valueId)])];
    if (key !== undefined && held !== undefined) map.set(key, held);
  }
  return map;
}

function parseSchema(metadata: ReadonlyMap<string, string>): Schema {
  const json = parseJson(metadata.get('schema') ?? 'null');
  if (!isObject(json) || !Array.isArray(json['fields'])) throw corrupt('it carries no table schema');
  const id = json['schema-id'] ?? integer(metadata.get('schema-id') ?? '0');
  return { ...json, type: 'struct', 'schema-id': id } as Schema;
}

/** The header has the spec's fields alone; those of early v1 writers have no ids. */
function parseSpec(metadata: ReadonlyMap<string, string>): PartitionSpec {
  const json = parseJson(metadata.get('partition-spec') ?? 'null');
  const listed = isObject(json) ? json['fields'] : json;
  if (!Array.isArray(listed)) throw corrupt('it carries no partition spec');
  const fields = listed.map((field, at) => ({ 'field-id': 1000 + at, ...field }) as PartitionField);
  return { 'spec-id': integer(metadata.get('partition-spec-id') ?? '0'), fields };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
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
