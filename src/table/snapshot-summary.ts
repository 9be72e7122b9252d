import type { DataFile } from '../iceberg/manifest.ts';
import type { Snapshot, SnapshotOperation } from '../iceberg/snapshot.ts';

interface Counts {
  dataFiles: number;
  deleteFiles: number;
  positionDeleteFiles: number;
  equalityDeleteFiles: number;
  records: number;
  size: number;
  positionDeletes: number;
  equalityDeletes: number;
}

function count(files: readonly DataFile[]): Counts {
  const of = (content: DataFile['content']): DataFile[] => files.filter((file) => file.content === content);
  const rows = (some: readonly DataFile[]): number => some.reduce((sum, file) => sum + file.recordCount, 0);
  const [data, positions, equality] = [of('data'), of('position-deletes'), of('equality-deletes')];
  return {
    dataFiles: data.length,
    deleteFiles: positions.length + equality.length,
    positionDeleteFiles: positions.length,
    equalityDeleteFiles: equality.length,
    records: rows(data),
    size: files.reduce((sum, file) => sum + file.fileSizeInBytes, 0),
    positionDeletes: rows(positions),
    equalityDeletes: rows(equality),
  };
}

/** The names under which the spec's optional summary fields stand: [count, added, removed, total]. */
const NAMES: readonly (readonly [keyof Counts, string, string, string | null])[] = [
  ['dataFiles', 'added-data-files', 'deleted-data-files', 'total-data-files'],
  ['deleteFiles', 'added-delete-files', 'removed-delete-files', 'total-delete-files'],
  ['positionDeleteFiles', 'added-position-delete-files', 'removed-position-delete-files', null],
  ['equalityDeleteFiles', 'added-equality-delete-files', 'removed-equality-delete-files', null],
  ['records', 'added-records', 'deleted-records', 'total-records'],
  ['size', 'added-files-size', 'removed-files-size', 'total-files-size'],
  ['positionDeletes', 'added-position-deletes', 'removed-position-deletes', 'total-position-deletes'],
  ['equalityDeletes', 'added-equality-deletes', 'removed-equality-deletes', 'total-equality-deletes'],
];

/** A snapshot's summary (spec: appendix F): what came, what went, and the totals where the parent's are known. */
export function snapshotSummary(input: {
  readonly operation: SnapshotOperation;
  readonly added: readonly DataFile[];
  readonly removed: readonly DataFile[];
  readonly parent: Snapshot | undefined;
  readonly properties: Readonly<Record<string, string>>;
}): Snapshot['summary'] {
  const [added, removed] = [count(input.added), count(input.removed)];
  const partitions = new Set(
    [...input.added, ...input.removed].map((file) => file.partition.map(String).join('/')),
  );
  const fields: Record<string, string> = {};
  for (const [key, plus, minus, total] of NAMES) {
    if (added[key] > 0) fields[plus] = String(added[key]);
    if (removed[key] > 0) fields[minus] = String(removed[key]);
    const before =
      input.parent === undefined ? '0' : total === null ? undefined : input.parent.summary[total];
    if (total !== null && before !== undefined)
      fields[total] = String(Number(before) + added[key] - removed[key]);
  }
  return {
    ...input.properties,
    ...fields,
    'changed-partition-count': String(partitions.size),
    operation: input.operation,
  };
}
