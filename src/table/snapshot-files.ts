import type { Clock } from '../clock.ts';
import { LakeError } from '../errors.ts';
import { type DataFile, type ManifestEntry, writeManifest } from '../iceberg/manifest.ts';
import type { ManifestFile } from '../iceberg/manifest-list.ts';
import { summarizeManifest } from '../iceberg/manifest-list.ts';
import { currentSchema, specById, type TableMetadata } from '../iceberg/table-metadata.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { mergedEntries, mergeRules, planMerge } from './manifest-merge.ts';
import { manifestEntries } from './manifests.ts';

/** A file that a change adds, with the spec that its partition tuple belongs to. */
export interface AddedFile {
  readonly dataFile: DataFile;
  readonly specId: number;
}

/** What stays the same over all attempts of one change: its snapshot id, and the names of its files. */
export interface ChangeIds {
  readonly snapshotId: bigint;
  readonly uuid: string;
  /** Manifests written so far, for their numbers. */
  manifests: number;
  /** Snapshots staged so far. */
  attempts: number;
  /** Manifests of added files, written once however often the change is staged. */
  readonly added: Map<readonly AddedFile[], readonly WrittenManifest[]>;
}

interface WrittenManifest {
  readonly path: string;
  readonly length: number;
  readonly specId: number;
  readonly content: 'data' | 'deletes';
  readonly entries: readonly ManifestEntry[];
}

/** Ids for a new change. */
export const newChange = (clock: Clock): ChangeIds => ({
  snapshotId: clock.snapshotId(),
  uuid: clock.uuid(),
  manifests: 0,
  attempts: 0,
  added: new Map(),
});

/** Writes the manifests of one change. */
export class ManifestProducer {
  readonly #objects: ObjectStore;
  readonly #metadata: TableMetadata;
  readonly #ids: ChangeIds;
  readonly #sequenceNumber: number;

  constructor(objects: ObjectStore, metadata: TableMetadata, ids: ChangeIds, sequenceNumber: number) {
    this.#objects = objects;
    this.#metadata = metadata;
    this.#ids = ids;
    this.#sequenceNumber = sequenceNumber;
  }

  /** One manifest per spec and content of the added files. */
  async added(files: readonly AddedFile[]): Promise<ManifestFile[]> {
    let written = this.#ids.added.get(files);
    if (!written) {
      const groups = Map.groupBy(
        files,
        (file) => `${file.dataFile.content === 'data' ? 'data' : 'deletes'} ${file.specId}`,
      );
      written = await Promise.all(
        [...groups.values()].map((group) =>
          this.#write(
            group[0]!,
            group.map((file) => this.#addedEntry(file)),
          ),
        ),
      );
      this.#ids.added.set(files, written);
    }
    return written.map((manifest) => this.#summary(manifest));
  }

  #addedEntry(file: AddedFile): ManifestEntry {
    return {
      status: 'added',
      snapshotId: this.#ids.snapshotId,
      sequenceNumber: null,
      fileSequenceNumber: null,
      dataFile: file.dataFile,
    };
  }

  async #write(first: AddedFile, entries: readonly ManifestEntry[]): Promise<WrittenManifest> {
    const content = first.dataFile.content === 'data' ? 'data' : 'deletes';
    return this.#put(first.specId, content, entries);
  }

  async #put(
    specId: number,
    content: 'data' | 'deletes',
    entries: readonly ManifestEntry[],
  ): Promise<WrittenManifest> {
    const schema = currentSchema(this.#metadata);
    const spec = specById(this.#metadata, specId);
    const bytes = writeManifest({ schema, spec, content, formatVersion: 2, entries });
    const path = `${this.#metadata.location}/metadata/${this.#ids.uuid}-m${this.#ids.manifests++}.avro`;
    await this.#objects.put(path, bytes, { if: 'absent' });
    return { path, length: bytes.length, specId, content, entries };
  }

  #summary(manifest: WrittenManifest): ManifestFile {
    return summarizeManifest({
      path: manifest.path,
      length: manifest.length,
      spec: specById(this.#metadata, manifest.specId),
      schema: currentSchema(this.#metadata),
      content: manifest.content,
      snapshotId: this.#ids.snapshotId,
      sequenceNumber: this.#sequenceNumber,
      entries: manifest.entries,
    });
  }

  /**
   * The manifests of the base without the removed files: one that names such a file is written anew with it marked deleted, the others stay as they are.
   * `onRemoved` sees each removed file. Errors: `conflict` if a removed file is no longer live.
   */
  async without(
    base: readonly ManifestFile[],
    removed: ReadonlySet<string>,
    onRemoved: (file: DataFile) => void,
  ): Promise<ManifestFile[]> {
    if (removed.size === 0) return [...base];
    const missing = new Set(removed);
    const kept: ManifestFile[] = [];
    for (const manifest of base) {
      const entries = (await manifestEntries(this.#objects, manifest))
        .map((found) => found.entry)
        .filter((entry) => entry.status !== 'deleted');
      const gone = entries.filter((entry) => removed.has(entry.dataFile.filePath));
      for (const entry of gone) {
        missing.delete(entry.dataFile.filePath);
        onRemoved(entry.dataFile);
      }
      if (gone.length === 0) kept.push(manifest);
      else kept.push(await this.#rewritten(manifest, entries, removed));
    }
    if (missing.size > 0) {
      throw new LakeError('conflict', 'A file that this change removes is no longer in the table', {
        where: [...missing][0] ?? '',
        hint: 'Derive the change anew.',
      });
    }
    return kept;
  }

  /**
   * A snapshot's manifests (newest first), small ones merged by the table's `commit.manifest…` properties (`manifest-merge.ts`). What lists nothing live and
   * is not of this change is left out.
   */
  async merged(manifests: readonly ManifestFile[]): Promise<ManifestFile[]> {
    const rules = mergeRules(this.#metadata.properties);
    if (!rules.enabled) return [...manifests];
    const own = { snapshotId: this.#ids.snapshotId, sequenceNumber: this.#sequenceNumber };
    const merged: ManifestFile[] = [];
    for (const bin of planMerge(manifests, rules, own.snapshotId)) {
      const [first] = bin;
      if (first === undefined) continue;
      if (bin.length === 1) {
        merged.push(first);
        continue;
      }
      const entries = await mergedEntries(this.#objects, bin, own);
      if (entries.length === 0) continue;
      merged.push(this.#summary(await this.#put(first.partitionSpecId, first.content, entries)));
    }
    return merged;
  }

  async #rewritten(
    manifest: ManifestFile,
    entries: readonly ManifestEntry[],
    removed: ReadonlySet<string>,
  ): Promise<ManifestFile> {
    const changed = entries.map((entry): ManifestEntry => {
      const isRemoved = removed.has(entry.dataFile.filePath);
      return isRemoved
        ? { ...entry, status: 'deleted', snapshotId: this.#ids.snapshotId }
        : { ...entry, status: 'existing' };
    });
    return this.#summary(await this.#put(manifest.partitionSpecId, manifest.content, changed));
  }
}
