import type { Clock } from '../clock.ts';
import type { DuckDbEngine } from '../engine/duckdb.ts';
import type { DataFile } from '../iceberg/manifest.ts';
import { type PartitionSpec, partitionPath } from '../iceberg/partition-spec.ts';
import { POSITION_DELETE_FIELDS } from '../iceberg/position-delete.ts';
import type { Schema } from '../iceberg/schema.ts';
import type { Value } from '../iceberg/types.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { WrittenFile } from './copy.ts';
import { fileMetrics } from './file-metrics.ts';
import { copyToStore } from './store-copy.ts';

export interface PositionDeleteRequest {
  /** A query that gives `file_path` (locations as manifests name them) and `pos`, in any order, of one partition's data files. */
  readonly sql: string;
  readonly schema: Schema;
  readonly spec: PartitionSpec;
  readonly partition: readonly Value[];
  /** The table's location; files go to `<location>/data/<partition path>/`. */
  readonly location: string;
  readonly objects: ObjectStore;
  readonly clock: Clock;
}

const TARGET_FILE_SIZE = 64 * 1024 * 1024;

/** Writes position deletes as Parquet, sorted by path and position, with whole paths as bounds; one file, more if it grows past 64 MiB. */
export async function writePositionDeletes(
  engine: DuckDbEngine,
  request: PositionDeleteRequest,
): Promise<DataFile[]> {
  const below = partitionPath(request.spec, request.schema, request.partition);
  const folder = `${request.location}/data${below === '' ? '' : `/${below}`}`;
  const copy = {
    sql: `SELECT CAST(file_path AS VARCHAR) AS file_path, CAST(pos AS BIGINT) AS pos FROM (${request.sql}) ORDER BY file_path, pos`,
    fields: POSITION_DELETE_FIELDS,
    folder,
    name: `${request.clock.uuid()}-deletes`,
    targetFileSizeBytes: TARGET_FILE_SIZE,
    objects: request.objects,
  };
  return copyToStore(engine, copy, (file, location) => deleteFile(engine, request, file, location));
}

async function deleteFile(
  engine: DuckDbEngine,
  request: PositionDeleteRequest,
  file: WrittenFile,
  location: string,
): Promise<DataFile> {
  const metrics = await fileMetrics(engine, file, () => ({ kind: 'full' }));
  const pathId = POSITION_DELETE_FIELDS[0].id;
  const [lower, upper] = [metrics.lowerBounds?.get(pathId), metrics.upperBounds?.get(pathId)];
  const single =
    lower && upper && Buffer.compare(lower, upper) === 0 ? Buffer.from(lower).toString('utf8') : undefined;
  return {
    content: 'position-deletes',
    filePath: location,
    fileFormat: 'PARQUET',
    partition: request.partition,
    recordCount: file.rows,
    fileSizeInBytes: file.size,
    ...metrics,
    ...(single === undefined ? {} : { referencedDataFile: single }),
  };
}
