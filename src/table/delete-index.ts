import { LakeError } from '../errors.ts';
import type { DataFile } from '../iceberg/manifest.ts';
import { isUnpartitioned, type PartitionSpec, partitionKey } from '../iceberg/partition-spec.ts';
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

const NO_DELETES: readonly DeleteTask[] = [];

/** The delete files of a snapshot by what they apply to (spec: "Scan Planning"). */
export class DeleteIndex {
  readonly #positions = new Map<string, DeleteTask[]>();
  readonly #equality = new Map<string, DeleteTask[]>();
  readonly #globalEquality: DeleteTask[] = [];
  /** By data file. */
  readonly #vectors = new Map<string, DeleteTask>();

  /** Adds a live delete file. Errors: `corrupt` for a deletion vector that names no data file. */
  add(task: DeleteTask): void {
    const { dataFile, spec } = task;
    if (dataFile.fileFormat.toUpperCase() === 'PUFFIN') {
      if (dataFile.referencedDataFile === undefined)
        throw new LakeError('corrupt', 'A deletion vector does not say which data file it is of', {
          where: dataFile.filePath,
        });
      this.#vectors.set(dataFile.referencedDataFile, task);
      return;
    }
    if (dataFile.content === 'equality-deletes' && isUnpartitioned(spec)) {
      this.#globalEquality.push(task);
      return;
    }
    const index = dataFile.content === 'equality-deletes' ? this.#equality : this.#positions;
    const key = scopeKey(spec, dataFile);
    const tasks = index.get(key);
    if (tasks) tasks.push(task);
    else index.set(key, [task]);
  }

  /** The deletes that apply to a data file: its deletion vector, or else positions not older than it, equality deletes younger than it, in its scope. */
  applicable(file: DataFile, spec: PartitionSpec, sequenceNumber: number): readonly DeleteTask[] {
    const indexed =
      this.#positions.size + this.#equality.size + this.#globalEquality.length + this.#vectors.size;
    if (indexed === 0) return NO_DELETES;
    const key = scopeKey(spec, file);
    const vector = this.#vectors.get(file.filePath);
    const applies = vector !== undefined && vector.sequenceNumber >= sequenceNumber;
    // A vector holds what position deletes before it said (spec: "Deletion Vectors").
    const positions = applies
      ? [vector]
      : (this.#positions.get(key) ?? []).filter(
          (task) => task.sequenceNumber >= sequenceNumber && mayName(task.dataFile, file.filePath),
        );
    const equality = [...(this.#equality.get(key) ?? []), ...this.#globalEquality].filter(
      (task) => task.sequenceNumber > sequenceNumber,
    );
    return [...positions, ...equality];
  }
}
