import type { TableIdentifier } from '../catalog-client/catalog.ts';
import { isKind, LakeError } from '../errors.ts';
import { tableName } from '../table/table.ts';
import { normalLocation } from '../tiering/normal-location.ts';
import { heldByUnreadable } from './blind-tables.ts';
import type { LocationMarks } from './location-marks.ts';
import { type MaintenanceRun, type RefusedTable, refusedBy } from './maintenance-run.ts';
import type { ListedObject, OrphanListing, StrayFolder } from './orphan-listing.ts';
import { clearProtected } from './protected.ts';
import { clearNamed, clearReferenced, isProved, type Proof, type ReadTable, stateOf } from './references.ts';
import type { Spool } from './spool.ts';
import type { PlacedTable } from './table-places.ts';

const DELETE_BATCH = 1000;
const EXAMPLES = 10;

/** What is orphaned in one table's folders, and went unless it was a dry run. Bytes are those of the files. */
export interface OrphansOf {
  readonly table: string;
  /** Objects in its folders. */
  readonly listed: number;
  files: number;
  bytes: number;
  /** The first few of them. */
  readonly examples: string[];
  /** Unreferenced objects that no table format makes: they stay. */
  readonly unknown: string[];
}

/** A folder below a tier that belongs to no table. */
export interface DroppedFolder {
  readonly location: string;
  readonly objects: number;
  readonly bytes: number;
  readonly newest_ms: number;
  readonly state: 'deleted' | 'deletable' | 'too-young' | 'still-referenced' | 'unproved' | 'unknown';
}

export interface OrphanWork {
  readonly judged: readonly PlacedTable[];
  readonly listing: OrphanListing;
  readonly marks: LocationMarks;
  readonly spool: Spool<ListedObject>;
  readonly droppedOlderThanMs: number;
  readonly dropped?: boolean;
  readonly dryRun?: boolean;
}

/** Names that Iceberg writers, or a killed process of ours, leave; anything else may be somebody's notes. */
const KNOWN =
  /\.(parquet|orc|avro|puffin|stats|metadata\.json(\.gz)?|gz\.metadata\.json)$|\.lake-\d+-\d+\.tmp$/;

/** Reads what the catalog's tables name now, and deletes what of the listing is left after that. */
export async function deleteOrphans(run: MaintenanceRun, work: OrphanWork) {
  const proof = await clearReferenced(run, work.marks, {
    progress: (table, done, total) => run.progress({ table, step: 'reading manifests', done, total }),
  });
  const held = heldByUnreadable(run, work.judged, proof);
  const running = (await clearProtected(run, work.marks, proof.tables)).map(normalLocation);
  await run.at('proved');
  const dropped = await judgeDropped(work, proof);
  const tables = new Map(
    work.judged.map(({ table }) => {
      const uuid = table.metadata['table-uuid'];
      const listed = work.listing.listed.get(uuid) ?? 0;
      return [
        uuid,
        { table: tableName(table.identifier), listed, files: 0, bytes: 0, examples: [], unknown: [] },
      ];
    }),
  );
  const deletable = new Set(dropped.flatMap((one) => (one.state === 'deleted' ? one.location : [])));
  const deletion = new OrphanDeletion(run, work, proof, tables);
  for await (const object of work.spool.rows()) {
    if (!work.marks.has(object.location)) continue;
    if (running.some((prefix) => normalLocation(object.location).startsWith(prefix))) continue;
    if (held.has(object.of)) continue;
    if (deletable.has(object.of) || isProved(proof, object.of)) await deletion.add(object);
  }
  await deletion.flush();
  const failed = new Map([...held, ...deletion.failed]);
  return { tables: [...tables.values()], dropped, refused: unproved(work.judged, proof, failed) };
}

/** Gathers batches, and looks once more right before each is deleted. */
class OrphanDeletion {
  readonly #run: MaintenanceRun;
  readonly #work: OrphanWork;
  readonly #tables: ReadonlyMap<string, OrphansOf>;
  readonly #read: Map<string, ReadTable>;
  /** Tables that could not be looked at again, by uuid: their files stay. */
  readonly failed = new Map<string, LakeError>();
  #batch: ListedObject[] = [];
  #done = 0;

  constructor(run: MaintenanceRun, work: OrphanWork, proof: Proof, tables: ReadonlyMap<string, OrphansOf>) {
    this.#run = run;
    this.#work = work;
    this.#tables = tables;
    this.#read = new Map(proof.read);
  }

  async add(object: ListedObject): Promise<void> {
    const table = this.#tables.get(object.of);
    const name = object.location.slice(object.location.lastIndexOf('/') + 1);
    if (table !== undefined && !KNOWN.test(name)) {
      if (name !== 'version-hint.text' && table.unknown.length < EXAMPLES)
        table.unknown.push(object.location);
      return;
    }
    this.#batch.push(object);
    if (this.#batch.length === DELETE_BATCH) await this.flush();
  }

  async flush(): Promise<void> {
    if (this.#batch.length === 0) return;
    const { dryRun, marks, spool } = this.#work;
    if (dryRun !== true) {
      await this.#run.at('deleting');
      await this.#lookAgain();
    }
    const going = this.#batch.filter((object) => marks.has(object.location));
    this.#batch = [];
    if (dryRun !== true) {
      const locations = going.map((one) => one.location);
      await this.#run.objects.delete(locations);
      // Of a table that was dropped the ledger may hold some: nobody else would take them off it.
      const ofDropped = going.filter((one) => !this.#tables.has(one.of)).map((one) => one.location);
      if (ofDropped.length > 0) await this.#run.journal.markDeleted(ofDropped);
    }
    for (const { of, location, bytes } of going) {
      const table = this.#tables.get(of);
      if (table === undefined) continue;
      table.files += 1;
      table.bytes += bytes;
      if (table.examples.length < EXAMPLES) table.examples.push(location);
    }
    this.#done += going.length;
    this.#run.progress({ table: 'orphans', step: 'deleting', done: this.#done, total: spool.length });
  }

  /** What was committed since a table was read: an old file may have become part of it. */
  async #lookAgain(): Promise<void> {
    const uuids = new Set(this.#batch.map((object) => object.of));
    for (const { table } of this.#work.judged) {
      const uuid = table.metadata['table-uuid'];
      if (!uuids.has(uuid)) continue;
      const error = await this.#readSince(table.identifier, uuid).catch((cause: unknown) => cause);
      if (error === undefined) continue;
      // Renamed, dropped, expired or moved on in this moment: what is not known to be an orphan stays.
      if (!(error instanceof LakeError) || isKind(error, 'unavailable')) throw error;
      this.#batch = this.#batch.filter((object) => object.of !== uuid);
      this.failed.set(uuid, error);
    }
  }

  async #readSince(identifier: TableIdentifier, uuid: string): Promise<undefined> {
    const now = await this.#run.catalog.loadTable(identifier);
    const before = this.#read.get(uuid);
    if (now.metadata['table-uuid'] !== uuid) {
      throw new LakeError('not-found', 'the table was dropped and made anew meanwhile');
    }
    if (before === undefined || now.metadataLocation === before.metadataLocation) return;
    await clearNamed(this.#run.objects, this.#work.marks, now, { seen: before.lists });
    this.#read.set(uuid, stateOf(now));
  }
}

/** A folder goes as a whole or not at all: one object that somebody names makes all of it somebody's. */
async function judgeDropped(work: OrphanWork, proof: Proof): Promise<DroppedFolder[]> {
  const strays = [...work.listing.strays.values()];
  const named = new Set<string>();
  for await (const { of, location } of work.spool.rows()) {
    if (work.listing.strays.has(of) && !work.marks.has(location)) named.add(of);
  }
  return strays.map((stray) => ({
    location: stray.location,
    objects: stray.objects,
    bytes: stray.bytes,
    newest_ms: stray.newestMs,
    state: stateOfStray(work, proof, stray, named),
  }));
}

function stateOfStray(
  work: OrphanWork,
  proof: Proof,
  stray: StrayFolder,
  named: ReadonlySet<string>,
): DroppedFolder['state'] {
  if (stray.uuid === null) return 'unknown';
  if (work.listing.nowMs - stray.newestMs < work.droppedOlderThanMs) return 'too-young';
  if (proof.tables.has(stray.uuid) || named.has(stray.location)) return 'still-referenced';
  // A view, or a dropped table that can come back, has all of its folder.
  if (proof.reserved?.has(stray.uuid) === true) return 'still-referenced';
  if (proof.unreadable.size > 0 || proof.reserved === null) return 'unproved';
  return work.dropped === true && work.dryRun !== true ? 'deleted' : 'deletable';
}

function unproved(
  judged: readonly PlacedTable[],
  proof: Proof,
  failed: ReadonlyMap<string, LakeError>,
): RefusedTable[] {
  return judged.flatMap(({ table }) => {
    const uuid = table.metadata['table-uuid'];
    if (isProved(proof, uuid) && !failed.has(uuid)) return [];
    const dropped = new LakeError('not-found', 'the table was dropped meanwhile');
    const error = failed.get(uuid) ?? proof.unreadable.get(uuid)?.error ?? dropped;
    const refused = refusedBy(tableName(table.identifier), error);
    return { ...refused, reason: `what it names cannot be read, so that its files stay: ${refused.reason}` };
  });
}
