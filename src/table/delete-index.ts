import { LakeError } from '../errors.ts';
import type { DataFile } from '../iceberg/manifest.ts';
import { type PartitionSpec, partitionKey } from '../iceberg/partition-spec.ts';
import { DELETE_FILE_PATH_ID } from '../iceberg/position-delete.ts';

/** A delete file that applies to a data file. */
export interface DeleteTask {
  readonly dataFile: DataFile;
  readonly spec: PartitionSpec;
  readonly sequenceNumber: number;
}

const scopeKey = (spec: PartitionSpec, file: DataFile): string =>
  `${spec['spec-id']}|${partitionKey(file.partition)}`;

/** True if a position delete may name rows of a data file, judged by its path bounds alone. */
function mayName(deleteFile: DataFile, path: string): boolean {
  if (deleteFile.referencedDataFile !== undefined) return deleteFile.referencedDataFile === path;
  const bytes = Buffer.from(path, 'utf8');
  const lower = deleteFile.lowerBounds?.get(DELETE_FILE_PATH_ID);
  const upper = deleteFile.upperBounds?.get(DELETE_FILE_PATH_ID);
  if (lower && Buffer.compare(bytes, lower) < 0) return false;
  return !(upper && Buffer.compare(bytes, upper) > 0);
}

/** The delete files of a snapshot by what they apply to (spec: "Scan Planning"). */
export class DeleteIndex {
  readonly #positions = new Map<string, DeleteTask[]>();
  readonly #equality = new Map<string, DeleteTask[]>();
  readonly #globalEquality: DeleteTask[] = [];

  /** Adds a live delete file. Errors: `unsupported` for deletion vectors (format v3). */
  add(task: DeleteTask): void {
    const { dataFile, spec } = task;
    if (dataFile.fileFormat.toUpperCase() === 'PUFFIN') {
      throw new LakeError(
        'unsupported',
        'The table has deletion vectors (format v3), which this version does not read',
        {
          where: dataFile.filePath,
          hint: 'Read it with an engine that knows format v3, or compact it there first.',
        },
      );
    }
    if (dataFile.content === 'equality-deletes' && spec.fields.length === 0) {
      this.#globalEquality.push(task);
      return;
    }
    const index = dataFile.content === 'equality-deletes' ? this.#equality : this.#positions;
    const key = scopeKey(spec, dataFile);
    const tasks = index.get(key);
    if (tasks) tasks.push(task);
    else index.set(key, [task]);
  }

  /** The deletes that apply to a data file: positions not older than it, equality deletes younger than it, in its scope. */
  applicable(file: DataFile, spec: PartitionSpec, sequenceNumber: number): DeleteTask[] {
    const key = scopeKey(spec, file);
    const positions = (this.#positions.get(key) ?? []).filter(
      (task) => task.sequenceNumber >= sequenceNumber && mayName(task.dataFile, file.filePath),
    );
    const equality = [...(this.#equality.get(key) ?? []), ...this.#globalEquality].filter(
      (task) => task.sequenceNumber > sequenceNumber,
    );
    return [...positions, ...equality];
  }
}
