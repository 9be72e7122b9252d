import type { DataFile } from '../iceberg/manifest.ts';
import { writeManifest } from '../iceberg/manifest.ts';
import { type ManifestFile, writeManifestList } from '../iceberg/manifest-list.ts';
import { inParallel } from '../in-parallel.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { readManifestContent } from '../table/manifests.ts';
import type { NewObject } from './fence.ts';
import {
  type Replacements,
  type RetiredEntry,
  retiredEntries,
  rewriteEntries,
  rewriteList,
} from './history-rewrite.ts';
import type { JournaledMove } from './journal.ts';
import { distinctManifests, type TableHistory } from './table-history.ts';

/** Objects whose journal entries go into one call, and that are held in memory meanwhile. */
const BATCH = 64;
/** Manifests read, and objects written, at once. */
const AT_ONCE = 8;

export interface HistoryWriterInput {
  readonly objects: ObjectStore;
  readonly moved: ReadonlyMap<string, string>;
  place(name: string): string;
  /** Journals moves before their objects are made. */
  journal(moves: readonly JournaledMove[]): Promise<void>;
}

/** A snapshot whose manifest list was rewritten. */
export interface RewrittenSnapshot {
  readonly snapshotId: bigint;
  readonly manifestList: string;
  readonly manifests: readonly ManifestFile[];
}

type Pending = {
  readonly from: string;
  readonly kind: 'manifest' | 'manifest-list';
  readonly object: NewObject;
};

/** Writes the manifests and manifest lists of moved history; what it has written once serves every attempt. */
export class HistoryWriter {
  readonly #input: HistoryWriterInput;
  readonly #manifests = new Map<string, ManifestFile | null>();
  readonly #retired = new Map<string, readonly RetiredEntry[]>();
  readonly #lists = new Map<string, RewrittenSnapshot>();
  #names = 0;

  constructor(input: HistoryWriterInput) {
    this.#input = input;
  }

  /** Rewrites each manifest that lists a moved or rewritten file. Errors: those of the store, the journal, `corrupt`. */
  async writeManifests(history: TableHistory, deletes: ReadonlyMap<string, DataFile>): Promise<void> {
    const replacements: Replacements = { moved: this.#input.moved, deletes };
    const files = distinctManifests(history).filter((file) => !this.#manifests.has(file.manifestPath));
    let pending: Pending[] = [];
    for (let at = 0; at < files.length; at += AT_ONCE) {
      const some = files.slice(at, at + AT_ONCE);
      const made = await Promise.all(some.map((file) => this.#rewriteManifest(file, replacements)));
      pending.push(...made.filter((one) => one !== null));
      if (pending.length >= BATCH) pending = await this.#flush(pending);
    }
    await this.#flush(pending);
  }

  /** Rewrites the manifest list of each retained snapshot that lists a rewritten manifest; in the history's order. */
  async writeLists(history: TableHistory): Promise<RewrittenSnapshot[]> {
    const rewritten = new Map<string, ManifestFile>();
    for (const [path, file] of this.#manifests) if (file !== null) rewritten.set(path, file);
    const changed: RewrittenSnapshot[] = [];
    let pending: Pending[] = [];
    for (const { snapshot, manifests } of history.snapshots) {
      const old = snapshot['manifest-list'];
      const made = this.#lists.get(old);
      const list = made === undefined ? rewriteList(manifests, rewritten) : null;
      // Two snapshots may have one list, as a rollback by some writers leaves them: each is told apart by its own id.
      if (made !== undefined) changed.push({ ...made, snapshotId: snapshot['snapshot-id'] });
      if (list === null) continue;
      const location = this.#place('list');
      const parent = snapshot['parent-snapshot-id'];
      const header = {
        snapshotId: snapshot['snapshot-id'],
        parentSnapshotId: parent ?? null,
        sequenceNumber: snapshot['sequence-number'],
        formatVersion: 2 as const,
      };
      const one = { snapshotId: snapshot['snapshot-id'], manifestList: location, manifests: list };
      this.#lists.set(old, one);
      changed.push(one);
      pending.push({
        from: old,
        kind: 'manifest-list',
        object: { location, bytes: writeManifestList(header, list) },
      });
      if (pending.length >= BATCH) pending = await this.#flush(pending);
    }
    await this.#flush(pending);
    return changed;
  }

  /** The tombstones for a branch: each retired data path that these manifests (before the rewrite) read, once. */
  retiredIn(manifests: Iterable<ManifestFile>): RetiredEntry[] {
    const byPath = new Map<string, RetiredEntry>();
    for (const { manifestPath } of manifests) {
      for (const one of this.#retired.get(manifestPath) ?? []) {
        const path = one.entry.dataFile.filePath;
        if (!byPath.has(path)) byPath.set(path, one);
      }
    }
    return [...byPath.values()];
  }

  async #rewriteManifest(file: ManifestFile, replacements: Replacements): Promise<Pending | null> {
    const content = await readManifestContent(this.#input.objects, file);
    const entries = rewriteEntries(content.entries, replacements);
    if (entries === null) {
      this.#manifests.set(file.manifestPath, null);
      return null;
    }
    const { schema, spec } = content;
    const bytes = writeManifest({ schema, spec, content: file.content, formatVersion: 2, entries });
    const location = this.#place('m');
    this.#manifests.set(file.manifestPath, { ...file, manifestPath: location, manifestLength: bytes.length });
    this.#retired.set(file.manifestPath, retiredEntries(content, this.#input.moved));
    return { from: file.manifestPath, kind: 'manifest', object: { location, bytes } };
  }

  async #flush(pending: readonly Pending[]): Promise<Pending[]> {
    if (pending.length === 0) return [];
    await this.#input.journal(
      pending.map(({ from, kind, object }) => ({
        from,
        to: object.location,
        kind,
        size: object.bytes.length,
      })),
    );
    await putAll(
      this.#input.objects,
      pending.map((one) => one.object),
    );
    return [];
  }

  #place(kind: string): string {
    return this.#input.place(`${kind}${this.#names++}.avro`);
  }
}

/** Writes new objects, in no order; one that is there already is an error, as every path is used once. */
export async function putAll(objects: ObjectStore, made: readonly NewObject[]): Promise<void> {
  await inParallel(made, AT_ONCE, async ({ location, bytes }) => {
    await objects.put(location, bytes, { if: 'absent' });
  });
}
