import { readFile, rm, writeFile } from 'node:fs/promises';
import { type Tier, tierOf } from '../config.ts';
import { quoteText } from '../engine/sql-text.ts';
import { LakeError } from '../errors.ts';
import type { DataFile } from '../iceberg/manifest.ts';
import { DELETE_FILE_PATH_ID, DELETE_FILE_POS_ID } from '../iceberg/position-delete.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { JournaledMove } from './journal.ts';
import { rewrittenDeletePath, type TablePlaces } from './relocation-paths.ts';
import type { Scratch } from './scratch.ts';

/** Where a data file went. */
export interface MovedTo {
  readonly to: string;
  readonly tier: string;
}

export interface DeleteRewriteInput {
  readonly objects: ObjectStore;
  readonly scratch: Scratch;
  readonly places: TablePlaces;
  readonly tiers: readonly Tier[];
  readonly relocationId: string;
  /** A UUID of this run: paths of an interrupted one are never used again. */
  readonly attempt: string;
  readonly moved: ReadonlyMap<string, MovedTo>;
  /** Journals a move before its object is made. */
  journal(moves: readonly JournaledMove[]): Promise<void>;
}

/** Rewrites position delete files that name moved files; remembers what it has seen. */
export class DeleteRewriter {
  readonly #input: DeleteRewriteInput;
  readonly #seen = new Map<string, DataFile | null>();
  readonly #sortedMoved: readonly Buffer[];

  constructor(input: DeleteRewriteInput) {
    this.#input = input;
    this.#sortedMoved = [...input.moved.keys()].map((path) => Buffer.from(path)).sort(Buffer.compare);
  }

  /** The rewritten files by old path. Errors: `unsupported` for formats other than Parquet, those of the store. */
  get rewritten(): ReadonlyMap<string, DataFile> {
    const made = new Map<string, DataFile>();
    for (const [path, file] of this.#seen) if (file !== null) made.set(path, file);
    return made;
  }

  /** Looks into one live position delete file and rewrites it if it names a moved file. */
  async visit(file: DataFile): Promise<void> {
    if (this.#seen.has(file.filePath)) return;
    this.#seen.set(file.filePath, this.#mayNameMoved(file) ? await this.#rewrite(file) : null);
  }

  #mayNameMoved(file: DataFile): boolean {
    if (file.referencedDataFile !== undefined) return this.#input.moved.has(file.referencedDataFile);
    const lower = file.lowerBounds?.get(DELETE_FILE_PATH_ID);
    const upper = file.upperBounds?.get(DELETE_FILE_PATH_ID);
    const first = this.#sortedMoved[lower === undefined ? 0 : firstNotBelow(this.#sortedMoved, lower)];
    return first !== undefined && (upper === undefined || Buffer.compare(first, upper) <= 0);
  }

  async #rewrite(file: DataFile): Promise<DataFile | null> {
    refuseForeign(file);
    const { objects, scratch, moved } = this.#input;
    const [source, target] = [await scratch.newFile(), await scratch.newFile()];
    try {
      await writeFile(source, await objects.get(file.filePath));
      const named = await this.#namedPaths(source);
      if (!named.some((path) => moved.has(path))) return null;
      await this.#writeMapped(source, target, named);
      return await this.#store(file, named, await readFile(target));
    } finally {
      await rm(source, { force: true });
      await rm(target, { force: true });
    }
  }

  async #namedPaths(source: string): Promise<string[]> {
    const engine = await this.#input.scratch.engine();
    const rows = await engine.all(`SELECT DISTINCT file_path FROM read_parquet(${quoteText(source)})`);
    return rows.map((row) => String(row['file_path']));
  }

  /** Sorted anew: the new paths sort otherwise, and readers rely on path and position in order. */
  async #writeMapped(source: string, target: string, named: readonly string[]): Promise<void> {
    const { moved, scratch } = this.#input;
    const pairs = named.flatMap((path) => {
      const to = moved.get(path)?.to;
      return to === undefined ? [] : [`(${quoteText(path)}, ${quoteText(to)})`];
    });
    const select = `SELECT coalesce(m.new_path, d.file_path) AS file_path, d.pos AS pos
      FROM read_parquet(${quoteText(source)}) d
      LEFT JOIN (VALUES ${pairs.join(', ')}) m(old_path, new_path) ON d.file_path = m.old_path
      ORDER BY 1, 2`;
    const ids = `FIELD_IDS {file_path: ${DELETE_FILE_PATH_ID}, pos: ${DELETE_FILE_POS_ID}}`;
    const engine = await scratch.engine();
    await engine.run(`COPY (${select}) TO ${quoteText(target)} (FORMAT parquet, COMPRESSION zstd, ${ids})`);
  }

  async #store(file: DataFile, named: readonly string[], bytes: Uint8Array): Promise<DataFile> {
    const { objects, places, tiers, moved, relocationId, attempt, journal } = this.#input;
    const target = hottest(
      tiers,
      named.map((path) => moved.get(path)?.tier ?? tierOf(tiers, path).name),
    );
    const from = tierOf(tiers, file.filePath).name;
    const to = rewrittenDeletePath(file.filePath, places, tiers, target, {
      relocation: relocationId,
      attempt,
    });
    const size = bytes.length;
    await journal([
      { from: file.filePath, to, kind: 'delete', size, 'from-tier': from, 'to-tier': target.name },
    ]);
    const { storageClass } = target;
    await objects.put(to, bytes, { if: 'absent', ...(storageClass === undefined ? {} : { storageClass }) });
    return describeRewritten(
      file,
      to,
      size,
      named.map((path) => moved.get(path)?.to ?? path),
    );
  }
}

/**
 * A delete file's entry after its rewrite: new path, length, path bounds (whole, never cut: equal ones tie the
 * file to one data file) and `referenced_data_file`. Sizes of columns and row groups are those of the old
 * bytes and are left out; of a file that had sizes of columns the list is empty, as PyIceberg 0.12 fails (`inspect.entries`) where there is none. Pure.
 *
 * @param named the paths in the new file
 */
export function describeRewritten(
  file: DataFile,
  to: string,
  size: number,
  named: readonly string[],
): DataFile {
  const { columnSizes, splitOffsets: _offsets, referencedDataFile, ...rest } = file;
  const sorted = named.map((path) => Buffer.from(path)).sort(Buffer.compare);
  const lowest = sorted[0]!;
  const highest = sorted.at(-1)!;
  return {
    ...rest,
    filePath: to,
    fileSizeInBytes: size,
    ...(columnSizes === undefined ? {} : { columnSizes: new Map() }),
    lowerBounds: new Map([...(file.lowerBounds ?? []), [DELETE_FILE_PATH_ID, lowest]]),
    upperBounds: new Map([...(file.upperBounds ?? []), [DELETE_FILE_PATH_ID, highest]]),
    ...(referencedDataFile === undefined ? {} : { referencedDataFile: lowest.toString() }),
  };
}

/** The index of the first of the sorted paths that is not below `bound`. */
function firstNotBelow(sorted: readonly Buffer[], bound: Uint8Array): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (Buffer.compare(sorted[middle]!, bound) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function refuseForeign(file: DataFile): void {
  if (file.fileFormat.toLowerCase() === 'parquet' && file.keyMetadata === undefined) return;
  const what = file.keyMetadata === undefined ? `is in ${file.fileFormat}` : 'is encrypted';
  throw new LakeError('unsupported', `a position delete file that names files to be moved ${what}`, {
    where: file.filePath,
    hint: 'compact the table first, so that its deletes are in plain Parquet; nothing was moved',
  });
}

function hottest(tiers: readonly Tier[], names: readonly string[]): Tier {
  const found = tiers.find((tier) => names.includes(tier.name));
  if (found === undefined) throw new LakeError('internal', `no tier among ${names.join(', ')}`);
  return found;
}
