import { partitionText } from '../iceberg/partition-spec.ts';
import type { Snapshot } from '../iceberg/snapshot.ts';
import { currentSchema, snapshotSchema, specById } from '../iceberg/table-metadata.ts';
import { liveEntries } from './manifests.ts';
import { type ScanOptions, scanTarget } from './scan.ts';
import type { Table } from './table.ts';

/** A snapshot as people look at it, oldest first. */
export interface HistoryRow {
  readonly snapshotId: bigint;
  readonly parentId: bigint | null;
  readonly sequenceNumber: number;
  readonly timestampMs: number;
  readonly operation: string;
  /** Branches and tags that are at it. */
  readonly refs: readonly string[];
  readonly summary: Readonly<Record<string, string>>;
}

/** A live file of a snapshot. */
export interface FileRow {
  readonly location: string;
  readonly content: 'data' | 'position-deletes' | 'equality-deletes';
  readonly partition: string;
  readonly specId: number;
  readonly records: number;
  /** Bytes. */
  readonly size: number;
  readonly sequenceNumber: number;
  readonly snapshotId: bigint;
}

/** A partition's live files in sum. */
export interface PartitionRow {
  readonly partition: string;
  readonly specId: number;
  readonly files: number;
  readonly records: number;
  readonly bytes: number;
  readonly deleteFiles: number;
  /** Rows named by position deletes; equality deletes are not counted, as they name no rows. */
  readonly deletedRecords: number;
}

const historyRow = (table: Table, snapshot: Snapshot): HistoryRow => ({
  snapshotId: snapshot['snapshot-id'],
  parentId: snapshot['parent-snapshot-id'] ?? null,
  sequenceNumber: snapshot['sequence-number'],
  timestampMs: snapshot['timestamp-ms'],
  operation: snapshot.summary.operation,
  refs: Object.entries(table.metadata.refs)
    .filter(([, ref]) => ref['snapshot-id'] === snapshot['snapshot-id'])
    .map(([name]) => name),
  summary: snapshot.summary,
});

/** Every retained snapshot, of whichever branch, in the order in which they were committed. */
export function tableHistory(table: Table): HistoryRow[] {
  return [...table.metadata.snapshots]
    .sort((a, b) => a['sequence-number'] - b['sequence-number'] || a['timestamp-ms'] - b['timestamp-ms'])
    .map((snapshot) => historyRow(table, snapshot));
}

/** The live data and delete files of a snapshot (default: main's), by partition and path. Errors: as `planScan`. */
export async function tableFiles(table: Table, options: ScanOptions = {}): Promise<FileRow[]> {
  const { metadata, context } = table;
  const { snapshot } = scanTarget(metadata, options);
  if (!snapshot) return [];
  const schema = metadata.schemas.length > 0 ? currentSchema(metadata) : snapshotSchema(metadata, snapshot);
  const rows: FileRow[] = [];
  for await (const { entry, manifest } of liveEntries(context.objects, snapshot)) {
    const { dataFile } = entry;
    rows.push({
      location: dataFile.filePath,
      content: dataFile.content,
      partition: partitionText(specById(metadata, manifest.partitionSpecId), schema, dataFile.partition),
      specId: manifest.partitionSpecId,
      records: dataFile.recordCount,
      size: dataFile.fileSizeInBytes,
      sequenceNumber: entry.sequenceNumber,
      snapshotId: entry.snapshotId,
    });
  }
  return rows.sort((a, b) => compareText(a.partition, b.partition) || compareText(a.location, b.location));
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** The partitions of a snapshot with their files, rows and bytes. Errors: as `planScan`. */
export async function tablePartitions(table: Table, options: ScanOptions = {}): Promise<PartitionRow[]> {
  const groups = Map.groupBy(await tableFiles(table, options), (file) => `${file.specId} ${file.partition}`);
  const sum = (files: readonly FileRow[], of: (file: FileRow) => number): number =>
    files.reduce((total, file) => total + of(file), 0);
  return [...groups.values()].map((files) => {
    const data = files.filter((file) => file.content === 'data');
    const deletes = files.filter((file) => file.content !== 'data');
    return {
      partition: files[0]!.partition,
      specId: files[0]!.specId,
      files: data.length,
      records: sum(data, (file) => file.records),
      bytes: sum(files, (file) => file.size),
      deleteFiles: deletes.length,
      deletedRecords: sum(
        deletes.filter((file) => file.content === 'position-deletes'),
        (file) => file.records,
      ),
    };
  });
}
