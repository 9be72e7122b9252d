import { isKind, LakeError } from '../../src/errors.ts';
import type { TableMetadata } from '../../src/iceberg/table-metadata.ts';
import type { TableUpdate } from '../../src/iceberg/updates.ts';
import type { ViewMetadata } from '../../src/iceberg/view-metadata.ts';
import type {
  CatalogStore,
  PlaceOwner,
  PlaceStore,
  StandingPointer,
  TablePlace,
} from '../store/catalog-store.ts';
import { meetsAnother } from '../store/table-places.ts';
import {
  foldersOf,
  type Located,
  type LocationRules,
  liesBelow,
  type NamedFolder,
  outside,
} from './location-rules.ts';
import type { MetadataFile, MetadataFiles } from './metadata-files.ts';
import { placeKey, uuidsIn } from './place.ts';

const READS_AT_ONCE = 16;

interface PlacesContext {
  readonly store: PlaceStore & Pick<CatalogStore, 'listRelocations'>;
  readonly files: MetadataFiles;
  readonly viewFiles: MetadataFiles<ViewMetadata>;
}

/**
 * Which folders are whose. A change that gives a table or view a new folder is refused here before anything is written, and the folder is taken
 * in the transaction of the change: of two that come at once, one is refused there. What stays as it was is never refused, wherever it lies.
 */
export class TablePlaces {
  readonly #context: PlacesContext;
  readonly #rules: LocationRules;
  readonly #isOpen: boolean;
  #complete = false;

  /** @param isOpen everybody may do everything */
  constructor(context: PlacesContext, rules: LocationRules, isOpen = false) {
    this.#context = context;
    this.#rules = rules;
    this.#isOpen = isOpen;
  }

  /**
   * The folders that a change makes a table or view's, to be taken with its pointer.
   * Errors: `invalid-argument` for one outside of what is allowed, or that meets another's.
   */
  async toTake(owner: PlaceOwner, base: Located | null, next: Located): Promise<readonly TablePlace[]> {
    if (base === null) requireUuid(owner);
    const before = new Map((base === null ? [] : foldersOf(base)).map((one) => [one.named, one.location]));
    const fresh = foldersOf(next).filter(({ named, location }) => before.get(named) !== location);
    if (fresh.length === 0) return [];
    for (const folder of fresh) this.#rules.requireFolder(folder);
    return this.#free(owner, fresh, this.#isOpen || base === null);
  }

  /**
   * Files that a commit or a move puts into the metadata have to lie in the table's own folders, as they are or were before the commit.
   * Errors: `invalid-argument`.
   */
  async requireOwn(
    base: TableMetadata | null,
    next: TableMetadata,
    files: readonly NamedFolder[],
  ): Promise<void> {
    const folders = [...foldersOf(next), ...(base === null ? [] : foldersOf(base))];
    const inTiers = new Map<string, NamedFolder>();
    for (const file of files) {
      if (liesBelow(folders, file.location)) continue;
      const folder = this.#rules.tierFolder(next['table-uuid'], file.location);
      if (folder === null) throw outside(file);
      inTiers.set(folder, { ...file, location: folder });
    }
    const owner = { kind: 'table', uuid: next['table-uuid'] } as const;
    if (inTiers.size > 0) await this.#free(owner, [...inTiers.values()]);
  }

  /**
   * Makes a table's the folders in the tiers that a move puts objects into. Errors: `invalid-argument` for an object elsewhere, or a folder that
   * meets another's.
   */
  async takeTierFolders(metadata: TableMetadata, locations: readonly string[]): Promise<void> {
    const own = foldersOf(metadata);
    const uuid = metadata['table-uuid'];
    const folders = new Set<string>();
    for (const location of locations) {
      const folder = this.#rules.tierFolder(uuid, location);
      if (folder !== null) folders.add(folder);
      else if (!liesBelow(own, location)) throw outside({ named: 'new place', location });
    }
    const owner = { kind: 'table', uuid } as const;
    const known = new Set(await this.#context.store.placesOf(owner));
    const fresh = [...folders].filter((folder) => !known.has(folder));
    if (fresh.length === 0) return;
    const named = fresh.map((location) => ({ named: 'folder in a tier', location }));
    await this.#context.store.claimPlaces(owner, await this.#free(owner, named));
  }

  /**
   * What a table or view that is registered brings along: its folders (as `toTake`), its metadata file and, of a table, the files that its
   * metadata names have to be where they are allowed, and not in another's folder.
   */
  async toRegister(
    owner: PlaceOwner,
    file: MetadataFile<Located>,
    base: Located | null,
    files: readonly NamedFolder[],
  ): Promise<readonly TablePlace[]> {
    const own = foldersOf(file.metadata);
    const places = await this.toTake(owner, base, file.metadata);
    const elsewhere = new Map<string, NamedFolder>();
    for (const one of [{ named: 'metadata-location', location: file.location }, ...files]) {
      if (liesBelow(own, one.location)) continue;
      this.#rules.requireFile(one);
      elsewhere.set(one.location.slice(0, one.location.lastIndexOf('/')), one);
    }
    const folders = [...elsewhere].map(([location, { named }]) => ({ named, location }));
    if (folders.length > 0) await this.#free(owner, folders);
    return places;
  }

  /**
   * A file that a client names lies where files may be, or in the folders of `base`: from elsewhere nothing is read, as an error would tell of what
   * is there. Errors: `invalid-argument`.
   */
  requireReadable(location: string, base: Located | null): void {
    if (base !== null && liesBelow(foldersOf(base), location)) return;
    this.#rules.requireFile({ named: 'metadata-location', location });
  }

  /**
   * The check that comes before an object that a table's manifests name is read with the lake's own keys for somebody who may read the table: its writers
   * put into their manifests what they like, and what another's manifests hold (paths, bounds) must not be had that way.
   * Errors: `forbidden` for an object in another's folder, or outside of all.
   */
  reading(metadata: TableMetadata): (location: string) => Promise<void> {
    const own = foldersOf(metadata);
    const owner = { kind: 'table', uuid: metadata['table-uuid'] } as const;
    const known = new Set<string>();
    return async (location) => {
      const folder = location.slice(0, Math.max(0, location.lastIndexOf('/')));
      if (this.#isOpen || liesBelow(own, location) || known.has(folder)) return;
      const former = (await this.of(owner)).map((one) => ({ named: 'folder', location: one }));
      const isFree = async () =>
        this.#rules.allowsObject(location) &&
        (await this.#context.store.takenPlace(owner, [placeAt(folder)])) === null;
      if (!liesBelow(former, location) && !(await isFree())) throw notRead(location);
      known.add(folder);
    };
  }

  /** Errors: `invalid-argument` for a folder outside of what is allowed, or that another has a part in. */
  async requireAlone(owner: PlaceOwner, locations: readonly string[]): Promise<void> {
    const folders = locations.map((location) => ({ named: 'folder', location }));
    for (const folder of folders) this.#rules.requireFolder(folder);
    await this.#free(owner, folders);
  }

  /** The locations that a table has or had. */
  async of(owner: PlaceOwner): Promise<readonly string[]> {
    await this.#complement();
    return this.#context.store.placesOf(owner);
  }

  async #free(
    owner: PlaceOwner,
    folders: readonly NamedFolder[],
    mayInherit = false,
  ): Promise<readonly TablePlace[]> {
    await this.#complement();
    const places = folders.map(({ location }) => ({ ...placeAt(location), mayInherit }));
    const taken = await this.#context.store.takenPlace(owner, places);
    if (taken !== null) throw meetsAnother(taken);
    return places;
  }

  /** Places of tables and views from before places were kept. Every change since keeps its own, so once is enough. */
  async #complement(): Promise<void> {
    if (this.#complete) return;
    const { store } = this.#context;
    const standing = await store.unplaced();
    for (let at = 0; at < standing.length; at += READS_AT_ONCE) {
      const batch = standing.slice(at, at + READS_AT_ONCE);
      const places = await Promise.all(batch.map((pointer) => this.#standingPlaces(pointer)));
      for (const [n, pointer] of batch.entries()) {
        await store.addPlaces(ownerOf(pointer), places[n] ?? []);
      }
    }
    this.#complete = true;
  }

  async #standingPlaces(pointer: StandingPointer): Promise<readonly TablePlace[]> {
    const files: { read(location: string): Promise<MetadataFile<Located>> } =
      pointer.kind === 'view' ? this.#context.viewFiles : this.#context.files;
    try {
      const { metadata } = await files.read(pointer.metadataLocation);
      const moved = pointer.kind === 'view' ? [] : await this.#movedTo(pointer.uuid);
      return [...foldersOf(metadata).map(({ location }) => location), ...moved].map(placeAt);
    } catch (error) {
      if (!isKind(error, 'corrupt', 'unsupported', 'not-found', 'invalid-argument')) throw error;
      // Its metadata cannot be read: what it named is not known, and where it lies is.
      return [placeAt(pointer.metadataLocation.replace(/\/(?:metadata\/)?[^/]*$/, ''))];
    }
  }

  /** Folders in the tiers that earlier moves made, perhaps under another name of the table. */
  async #movedTo(uuid: string): Promise<readonly string[]> {
    const relocations = await this.#context.store.listRelocations({ tableUuid: uuid });
    const prefixes = relocations.flatMap(({ plan }) => prefixesOf(plan));
    return [
      ...new Set(
        prefixes.flatMap((prefix) => this.#rules.tierFolder(uuid, prefix.replace(/\/+$/, '')) ?? []),
      ),
    ];
  }
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * Folders in the tiers end in a table's uuid, and are known by it: one that is the end of another's uuid, or another's in capitals, would make the
 * other's files this table's own.
 */
function requireUuid({ kind, uuid }: PlaceOwner): void {
  if (UUID.test(uuid)) return;
  throw new LakeError(
    'invalid-argument',
    `The ${kind}'s uuid ${JSON.stringify(uuid.slice(0, 100))} is no UUID`,
    {
      hint: 'Nothing was changed: give it a UUID of 36 characters in lower case, as RFC 9562 has them.',
    },
  );
}

function notRead(location: string): LakeError {
  return new LakeError('forbidden', `${location} is none of the table's own files`, {
    where: location,
    hint: 'The catalog does not read it for you: plan the scan in the client.',
  });
}

/** Files that updates add to a table's metadata. Pure. */
export function filesOfUpdates(updates: readonly TableUpdate[]): readonly NamedFolder[] {
  return updates.flatMap((update) => {
    if (update.action === 'add-snapshot') {
      return { named: 'manifest list', location: update.snapshot['manifest-list'] };
    }
    if (update.action === 'set-statistics') {
      return { named: 'statistics file', location: update.statistics['statistics-path'] };
    }
    if (update.action === 'set-partition-statistics') {
      const { 'statistics-path': location } = update['partition-statistics'];
      return { named: 'partition statistics file', location };
    }
    return [];
  });
}

/** Files that a table's metadata names itself. Pure. */
export function filesOfMetadata(metadata: TableMetadata): readonly NamedFolder[] {
  const lists = metadata.snapshots.flatMap(({ 'manifest-list': location }) =>
    location === undefined || location === '' ? [] : { named: 'manifest list', location },
  );
  const statistics = [...(metadata.statistics ?? []), ...(metadata['partition-statistics'] ?? [])];
  return [
    ...lists,
    ...statistics.map(({ 'statistics-path': location }) => ({ named: 'statistics file', location })),
  ];
}

function placeAt(location: string): TablePlace {
  return { place: placeKey(location), location: location.replace(/\/+$/, ''), uuids: uuidsIn(location) };
}

function ownerOf({ kind, uuid }: StandingPointer): PlaceOwner {
  return { kind: kind === 'view' ? 'view' : 'table', uuid };
}

/** A relocation's plan is its client's: ours notes the folders that it makes. */
function prefixesOf(plan: unknown): readonly string[] {
  if (typeof plan !== 'object' || plan === null || !('prefixes' in plan)) return [];
  const { prefixes } = plan;
  return Array.isArray(prefixes) ? prefixes.filter((one) => typeof one === 'string') : [];
}
