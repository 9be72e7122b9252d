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
  /** Manifests of added files, made once however often the change is staged. */
  readonly added: Map<readonly AddedFile[], readonly WrittenManifest[]>;
}

interface WrittenManifest {
  readonly path: string;
  readonly length: number;
  readonly specId: number;
  readonly content: 'data' | 'deletes';
  readonly entries: readonly ManifestEntry[];
  /** Until it is in the store. */
  bytes: Uint8Array | null;
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
  /** Manifests of added files, by path: not in the store before it is known that they are not merged. */
  readonly #added = new Map<string, WrittenManifest>();
  /** Manifests that this attempt has written anew. */
  readonly #rewrittenPaths = new Set<string>();

  constructor(objects: ObjectStore, metadata: TableMetadata, ids: ChangeIds, sequenceNumber: number) {
    this.#objects = objects;
    this.#metadata = metadata;
    this.#ids = ids;
    this.#sequenceNumber = sequenceNumber;
  }

  /** One manifest per spec and content of the added files; `merged` stores those that stay. */
  added(files: readonly AddedFile[]): ManifestFile[] {
    let written = this.#ids.added.get(files);
    if (!written) {
      const groups = Map.groupBy(
        files,
        (file) => `${file.dataFile.content === 'data' ? 'data' : 'deletes'} ${file.specId}`,
      );
      written = [...groups.values()].map((group) =>
        this.#make(
          group[0]!.specId,
          group[0]!.dataFile.content === 'data' ? 'data' : 'deletes',
          group.map((file) => this.#addedEntry(file)),
        ),
      );
      this.#ids.added.set(files, written);
    }
    for (const manifest of written) this.#added.set(manifest.path, manifest);
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

  #make(specId: number, content: 'data' | 'deletes', entries: readonly ManifestEntry[]): WrittenManifest {
    const schema = currentSchema(this.#metadata);
    const spec = specById(this.#metadata, specId);
    const bytes = writeManifest({ schema, spec, content, formatVersion: 2, entries });
    const path = `${this.#metadata.location}/metadata/${this.#ids.uuid}-m${this.#ids.manifests++}.avro`;
    return { path, length: bytes.length, specId, content, entries, bytes };
  }

  async #store(manifest: WrittenManifest): Promise<WrittenManifest> {
    if (manifest.bytes !== null) await this.#objects.put(manifest.path, manifest.bytes, { if: 'absent' });
    manifest.bytes = null;
    return manifest;
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
   * A snapshot's manifests (newest first), small ones merged by the table's `commit.manifest…` properties (`manifest-merge.ts`); all of them are in the store
   * then. What lists nothing live and is not of this change is left out.
   */
  async merged(manifests: readonly ManifestFile[]): Promise<ManifestFile[]> {
    const rules = mergeRules(this.#metadata.properties);
    const bins = rules.enabled
      ? planMerge(manifests, rules, this.#ids.snapshotId)
      : manifests.map((manifest) => [manifest]);
    const merged: ManifestFile[] = [];
    for (const bin of bins) {
      const [first] = bin;
      if (first === undefined) continue;
      if (bin.length > 1) {
        merged.push(...(await this.#mergedBin(first, bin)));
        continue;
      }
      const added = this.#added.get(first.manifestPath);
      if (added) await this.#store(added);
      merged.push(first);
    }
    return merged;
  }

  async #mergedBin(first: ManifestFile, bin: readonly ManifestFile[]): Promise<ManifestFile[]> {
    const own = { snapshotId: this.#ids.snapshotId, sequenceNumber: this.#sequenceNumber };
    const inStore = bin.filter((manifest) => !this.#added.has(manifest.manifestPath));
    const added = bin.flatMap((manifest) => this.#added.get(manifest.manifestPath)?.entries ?? []);
    const entries = [...added, ...(await mergedEntries(this.#objects, inStore, own))];
    const made =
      entries.length === 0
        ? []
        : [this.#summary(await this.#store(this.#make(first.partitionSpecId, first.content, entries)))];
    // Made by this attempt, and in no list yet: nothing can name them. What cannot be removed is left to orphan removal.
    const spent = bin.map((one) => one.manifestPath).filter((path) => this.#rewrittenPaths.has(path));
    if (spent.length > 0) await this.#objects.delete(spent).catch(() => {});
    return made;
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
    const made = await this.#store(this.#make(manifest.partitionSpecId, manifest.content, changed));
    this.#rewrittenPaths.add(made.path);
    return this.#summary(made);
  }
}
