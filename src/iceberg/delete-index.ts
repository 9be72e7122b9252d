import { LakeError } from '../errors.ts';
import type { DataFile } from './manifest.ts';
import { isUnpartitioned, type PartitionSpec, partitionKey } from './partition-spec.ts';
import { DELETE_FILE_PATH_ID } from './position-delete.ts';

/** A delete file that applies to a data file. */
export interface DeleteTask {
  readonly dataFile: DataFile;
  readonly spec: PartitionSpec;
  readonly sequenceNumber: number;
}

/** Data files that deletes are asked for. */
export interface DeleteTargets {
  readonly paths: ReadonlySet<string>;
  /** Their `scopeKey`s. */
  readonly scopes: ReadonlySet<string>;
}

/** The files that a delete file of this spec and partition can be about. */
export const scopeKey = (spec: PartitionSpec, file: DataFile): string =>
  `${spec['spec-id']}|${partitionKey(file.partition)}`;

/** The one data file that a position delete can name; null if its bounds let it name several. */
function onlyPath(deleteFile: DataFile): string | null {
  if (deleteFile.referencedDataFile !== undefined) return deleteFile.referencedDataFile;
  const lower = deleteFile.lowerBounds?.get(DELETE_FILE_PATH_ID);
  const upper = deleteFile.upperBounds?.get(DELETE_FILE_PATH_ID);
  if (!lower || !upper || Buffer.compare(lower, upper) !== 0) return null;
  return new TextDecoder().decode(lower);
}

/** True if a position delete may name rows of a data file, judged by its path bounds alone. */
function mayName(deleteFile: DataFile, path: Uint8Array): boolean {
  const lower = deleteFile.lowerBounds?.get(DELETE_FILE_PATH_ID);
  const upper = deleteFile.upperBounds?.get(DELETE_FILE_PATH_ID);
  if (lower && Buffer.compare(path, lower) < 0) return false;
  return !(upper && Buffer.compare(path, upper) > 0);
}

const NO_DELETES: readonly DeleteTask[] = [];

/** The delete files of a snapshot by what they apply to (spec: "Scan Planning"). */
export class DeleteIndex {
  /** Position deletes that may name any file of their scope. */
  readonly #positions = new Map<string, DeleteTask[]>();
  /** Position deletes of one data file, by its path: engines write one delete file for each, thousands in a partition. */
  readonly #positionsOf = new Map<string, DeleteTask[]>();
  readonly #equality = new Map<string, DeleteTask[]>();
  readonly #globalEquality: DeleteTask[] = [];
  /** By data file. */
  readonly #vectors = new Map<string, DeleteTask>();

  readonly #targets: DeleteTargets | null;

  /** @param targets where only these files will be asked for: deletes that cannot be about them are not kept. */
  constructor(targets: DeleteTargets | null = null) {
    this.#targets = targets;
  }

  /** Adds a live delete file; false if it cannot be about a target. Errors: `corrupt` for a deletion vector that names no data file. */
  add(task: DeleteTask): boolean {
    const { dataFile, spec } = task;
    if (dataFile.fileFormat.toUpperCase() === 'PUFFIN') {
      if (dataFile.referencedDataFile === undefined)
        throw new LakeError('corrupt', 'A deletion vector does not say which data file it is of', {
          where: dataFile.filePath,
        });
      if (!this.#isWanted(dataFile.referencedDataFile, null)) return false;
      this.#vectors.set(dataFile.referencedDataFile, task);
      return true;
    }
    if (dataFile.content === 'equality-deletes' && isUnpartitioned(spec)) {
      this.#globalEquality.push(task);
      return true;
    }
    const path = dataFile.content === 'position-deletes' ? onlyPath(dataFile) : null;
    const scope = scopeKey(spec, dataFile);
    if (!this.#isWanted(path, scope)) return false;
    if (path !== null) push(this.#positionsOf, path, task);
    else push(dataFile.content === 'equality-deletes' ? this.#equality : this.#positions, scope, task);
    return true;
  }

  #isWanted(path: string | null, scope: string | null): boolean {
    if (this.#targets === null) return true;
    const { paths, scopes } = this.#targets;
    return (path === null || paths.has(path)) && (scope === null || scopes.has(scope));
  }

  /** The deletes that apply to a data file: its deletion vector, or else positions not older than it, equality deletes younger than it, in its scope. */
  applicable(file: DataFile, spec: PartitionSpec, sequenceNumber: number): readonly DeleteTask[] {
    const indexed = this.#positions.size + this.#positionsOf.size + this.#equality.size + this.#vectors.size;
    if (indexed + this.#globalEquality.length === 0) return NO_DELETES;
    const key = scopeKey(spec, file);
    const vector = this.#vectors.get(file.filePath);
    const applies = vector !== undefined && vector.sequenceNumber >= sequenceNumber;
    // A vector holds what position deletes before it said (spec: "Deletion Vectors").
    const positions = applies ? [vector] : this.#positionDeletes(file, key, sequenceNumber);
    const equality = [...(this.#equality.get(key) ?? []), ...this.#globalEquality].filter(
      (task) => task.sequenceNumber > sequenceNumber,
    );
    return [...positions, ...equality];
  }

  #positionDeletes(file: DataFile, key: string, sequenceNumber: number): readonly DeleteTask[] {
    const path = Buffer.from(file.filePath, 'utf8');
    return [
      // Of files of another scope a position delete says nothing, whatever path it names.
      ...(this.#positionsOf.get(file.filePath) ?? []).filter(
        (task) => scopeKey(task.spec, task.dataFile) === key,
      ),
      ...(this.#positions.get(key) ?? []).filter((task) => mayName(task.dataFile, path)),
    ].filter((task) => task.sequenceNumber >= sequenceNumber);
  }
}

function push(index: Map<string, DeleteTask[]>, key: string, task: DeleteTask): void {
  const tasks = index.get(key);
  if (tasks) tasks.push(task);
  else index.set(key, [task]);
}
