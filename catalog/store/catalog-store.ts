import type { AccessStore } from './access-store.ts';
import type { Maintenance } from './maintenance.ts';
import type { Page, PageRequest } from './page.ts';
import type { CatalogSizes } from './sizes.ts';
import type { Levels, TableName } from './table-name.ts';

export type { Page, PageRequest } from './page.ts';
export type { Levels, TableName } from './table-name.ts';

/** What the catalog keeps of a table: the pointer to its metadata file. */
export interface TablePointer extends TableName {
  readonly uuid: string;
  readonly metadataLocation: string;
}

/** Whose places they are. */
export interface PlaceOwner {
  readonly kind: 'table' | 'view';
  readonly uuid: string;
}

/** Something whose files have to stay: a table, a view, or a dropped table that can be brought back. */
export interface StandingPointer extends TablePointer {
  readonly kind: 'table' | 'view' | 'dropped';
}

/** A folder that a table or view takes; see `table-places.ts`. */
export interface TablePlace {
  /** The same for all that any store or reader could take for the same folder (`placeKey`); folders below it begin with it. */
  readonly place: string;
  readonly location: string;
  /** At the ends of names in it, in lower case: a folder named after another table is that table's. */
  readonly uuids: readonly string[];
  /**
   * It may be the very place of a dropped table of the same namespace, which then cannot come back as long as it is: whoever makes a
   * table in a namespace had every right on those dropped from it.
   */
  readonly mayInherit?: boolean;
}

/** A compare-and-set of a table's pointer; `expected` null creates the table. */
export interface PointerChange extends TablePointer {
  readonly expected: string | null;
  /** Places to take in the same transaction, which then has to be alone: `invalid-argument` if one meets another's. */
  readonly places?: readonly TablePlace[];
  /** Fences that the commit itself puts on branches, to be guarded from now on. */
  readonly fences?: readonly Fence[];
}

/**
 * `dropped`: can be brought back. `purging`: its files are being listed; `listed`: they are, and those go that no other table names;
 * `purged`: they are gone.
 */
export type DropState = 'dropped' | 'purging' | 'listed' | 'purged';

export interface DroppedTable extends TablePointer {
  readonly id: string;
  readonly droppedAtMs: number;
  readonly state: DropState;
  /** Why its purge waits, or what it left. */
  readonly note: string | null;
}

/** How a table leaves the catalog. */
export interface TableDrop {
  /** Where the table has to be; null for wherever it is. */
  readonly expected: string | null;
  /** What to remember of it; null for nothing. */
  readonly record: { readonly id: string; readonly nowMs: number; readonly state: DropState } | null;
}

/** A candidate of a purge: `object` is the same for all spellings of a location. */
export interface PurgeFile {
  readonly object: string;
  readonly location: string;
}

export interface MetricsReport extends TableName {
  readonly seq: number;
  readonly tableUuid: string;
  readonly receivedAtMs: number;
  /** JSON text, as the client sent it. */
  readonly report: string;
}

/** What is known of a request that carried an idempotency key. */
export interface IdempotencyRecord {
  readonly key: string;
  /** Of the request: a key belongs to one. */
  readonly digest: string;
  readonly createdAtMs: number;
  /** Null if the change was applied and the answer never sent. */
  readonly status: number | null;
  /** JSON text; null where the answer has none, or is to be made anew from the catalog's state. */
  readonly body: string | null;
}

export interface RelocationStateChange {
  readonly state: 'rolled-back' | 'finished' | 'cleaned';
  readonly leaseId: string | null;
  /** Wall clock, ms. */
  readonly nowMs: number;
}

/** `finished`: swapped, and its old objects are gone. `cleaned`: rolled back, and what it had made is gone. */
export type RelocationState = 'copying' | 'swapped' | 'finished' | 'rolled-back' | 'cleaned';
export type MoveKind = 'data' | 'delete' | 'manifest' | 'manifest-list';

export interface Relocation extends TableName {
  readonly id: string;
  readonly leaseId: string;
  readonly tableUuid: string;
  readonly graceMs: number;
  readonly plan: unknown;
  readonly state: RelocationState;
  readonly createdAtMs: number;
  readonly swappedAtMs: number | null;
}

/** An object's way from one place to another; `size` in bytes. */
export interface Move {
  readonly from: string;
  readonly to: string;
  readonly kind: MoveKind;
  readonly size: number;
  readonly fromTier: string | null;
  readonly toTier: string | null;
}

export interface Lease {
  readonly id: string;
  readonly expiresAtMs: number;
}

/** A lease as its holder shows it, and when (wall clock, ms). */
export interface HeldLease {
  readonly leaseId: string;
  readonly nowMs: number;
}

export interface RetiredObject {
  readonly location: string;
  readonly kind: MoveKind;
}

export interface LedgerEntry extends RetiredObject, TableName {
  readonly tableUuid: string;
  readonly relocationId: string;
  readonly retiredAtMs: number;
  readonly deleteAfterMs: number;
}

/** A fence that a move put on a branch, guarded until `untilMs`. */
export interface Fence {
  readonly ref: string;
  readonly snapshotId: bigint;
  readonly untilMs: number;
  /** The table's last sequence number before the move: fences of the same move have the same, those of later ones a higher one. */
  readonly afterSequenceNumber: number;
}

export interface Swap {
  readonly relocationId: string;
  readonly leaseId: string;
  readonly pointer: PointerChange;
  /** Retired beside what the journal's moves retire. */
  readonly retired: readonly RetiredObject[];
  readonly fences: readonly { readonly ref: string; readonly snapshotId: bigint }[];
  /** The table's last sequence number before the swap. */
  readonly afterSequenceNumber: number;
  readonly nowMs: number;
}

/** The folders that tables and views take (`table-places.ts`). */
export interface PlaceStore {
  /** What stands without a place: from before places were kept. */
  unplaced(): Promise<readonly StandingPointer[]>;
  /** Notes places without a check. */
  addPlaces(owner: PlaceOwner, places: readonly TablePlace[]): Promise<void>;
  /** Takes places for a table that stands. `invalid-argument` if one meets another's. */
  claimPlaces(owner: PlaceOwner, places: readonly TablePlace[]): Promise<void>;
  /** The first of `places` that meets another's. Of which namespace the dropped tables are that may be inherited is for `claimPlaces` to see. */
  takenPlace(owner: PlaceOwner, places: readonly TablePlace[]): Promise<TablePlace | null>;
  /** The locations that a table or view has or had. */
  placesOf(owner: PlaceOwner): Promise<readonly string[]>;
}

/**
 * What the catalog keeps: pointers and namespaces, and for relocations leases, journal and ledger. Each method is one transaction.
 * Errors besides the ones named: `unavailable` (nothing was applied), `unknown-outcome` (a commit failed in the middle).
 */
export interface CatalogStore extends PlaceStore {
  /** Who may do what. */
  readonly access: AccessStore;

  /** Children of `parent` (the outermost ones without it). `not-found` for a parent that does not exist. */
  listNamespaces(parent: Levels, page: PageRequest): Promise<Page<Levels>>;
  /** Creates it with the parents that are missing. `already-exists`. */
  createNamespace(levels: Levels, properties: Readonly<Record<string, string>>): Promise<void>;
  /** The properties. `not-found`. */
  loadNamespace(levels: Levels): Promise<Readonly<Record<string, string>>>;
  updateNamespace(
    levels: Levels,
    change: (properties: Readonly<Record<string, string>>) => Readonly<Record<string, string>>,
  ): Promise<void>;
  /** `not-found`, `not-empty`. */
  dropNamespace(levels: Levels): Promise<void>;

  /** `not-found` for the namespace. */
  listTables(namespace: Levels, page: PageRequest): Promise<Page<string>>;
  /** The pointers of all tables at one moment, ordered by uuid: a table that is renamed stands there once. */
  allTables(): Promise<readonly TablePointer[]>;
  /** The pointers of all tables, views and restorable drops at one moment, ordered by uuid. */
  allStanding(): Promise<readonly StandingPointer[]>;
  findTable(table: TableName): Promise<TablePointer | null>;
  /** All pointers or none. `conflict` if one is not at `expected`, `already-exists`, `not-found` for a namespace. */
  changePointers(changes: readonly PointerChange[]): Promise<void>;
  /** As `changePointers`; a table that is replaced by one of another uuid is remembered as dropped. */
  registerTable(change: PointerChange, replaced: TableDrop['record']): Promise<void>;
  /** `not-found`; `conflict` if it is not at `drop.expected`. */
  dropTable(table: TableName, drop: TableDrop): Promise<TablePointer>;
  listDropped(states: readonly DropState[], page: PageRequest): Promise<Page<DroppedTable>>;
  /** `not-found`. */
  getDropped(id: string): Promise<DroppedTable>;
  /** Under its old name if `to` is null. `not-found`, `already-exists`, `conflict` if its purge began or another table lies in its place. */
  undrop(id: string, to: TableName | null): Promise<TablePointer>;
  /** `conflict` if it began already. */
  startPurge(id: string): Promise<void>;
  setPurgeState(
    id: string,
    change: { readonly state: DropState; readonly note: string | null },
  ): Promise<void>;
  addPurgeFiles(id: string, files: readonly PurgeFile[]): Promise<void>;
  /** How many of `objects` were candidates. */
  removePurgeFiles(id: string, objects: readonly string[]): Promise<number>;
  /** Takes off what a relocation retired and the ledger still has. */
  leaveToLedger(id: string): Promise<number>;
  nextPurgeFiles(id: string, limit: number): Promise<readonly PurgeFile[]>;
  isLeased(tableUuid: string, nowMs: number): Promise<boolean>;

  /** Keeps a report; of each table the newest `keep` stay. */
  addMetricsReport(report: Omit<MetricsReport, 'seq'>, keep: number): Promise<void>;
  listMetricsReports(tableUuid: string, page: PageRequest): Promise<Page<MetricsReport>>;

  findIdempotencyRecord(key: string): Promise<IdempotencyRecord | null>;
  /**
   * Keeps a final answer; forgets records older than `forgetBeforeMs`. False for a refusal of a request that was applied meanwhile, by another
   * server: that it was stays noted.
   */
  saveIdempotencyRecord(record: IdempotencyRecord, forgetBeforeMs: number): Promise<boolean>;

  /** `not-found` for the table or the namespace, `already-exists` if a table or view has the name. */
  renameTable(from: TableName, to: TableName): Promise<void>;

  /** `not-found` for the namespace. */
  listViews(namespace: Levels, page: PageRequest): Promise<Page<string>>;
  findView(view: TableName): Promise<TablePointer | null>;
  /** A compare-and-set of a view's pointer; errors as for tables, whose names views share. */
  changeView(change: PointerChange): Promise<void>;
  dropView(view: TableName): Promise<TablePointer>;
  renameView(from: TableName, to: TableName): Promise<void>;

  /** `conflict` while another lease of the table lives. */
  acquireLease(
    lease: Lease & { readonly tableUuid: string; readonly holder: string },
    nowMs: number,
  ): Promise<void>;
  /** `conflict` if it has expired and been taken over, or was released. */
  renewLease(lease: Lease): Promise<void>;
  releaseLease(id: string): Promise<void>;

  /** `conflict` without a living lease of the table, `already-exists` for the id. */
  createRelocation(relocation: Relocation): Promise<void>;
  getRelocation(id: string): Promise<Relocation>;
  listRelocations(filter: {
    readonly tableUuid?: string;
    readonly state?: string;
  }): Promise<readonly Relocation[]>;
  /** `conflict` if the relocation is not copying, its table is not leased to the caller, or a target path was ever used for something else. */
  addMoves(id: string, moves: readonly Move[], lease: HeldLease): Promise<void>;
  listMoves(id: string, page: PageRequest): Promise<Page<Move>>;
  /** Pointer, state and ledger at once. `conflict`. */
  swap(swap: Swap): Promise<void>;
  /** `conflict` unless the state may be followed by `state`; `rolled-back` needs a living lease on the table. */
  setRelocationState(id: string, change: RelocationStateChange): Promise<void>;

  listLedger(
    filter: { readonly tableUuid?: string; readonly dueBeforeMs?: number },
    page: PageRequest,
  ): Promise<Page<LedgerEntry>>;
  markDeleted(locations: readonly string[], nowMs: number): Promise<void>;
  /** True if a relocation of the table was ever swapped. */
  hasMoved(tableUuid: string): Promise<boolean>;
  /** Those of `locations` that a move of this table has retired, at any time. */
  retiredAmong(tableUuid: string, locations: readonly string[]): Promise<readonly string[]>;
  /** A retired data file whose location lies in [lower, upper] by code points, if any. */
  retiredBetween(tableUuid: string, lower: string, upper: string): Promise<readonly string[]>;
  /** The old paths, still in grace at `nowMs`, of data files that a move of this table brought to one of `locations`. */
  dataMovedTo(tableUuid: string, locations: readonly string[], nowMs: number): Promise<readonly string[]>;
  /** Fences still guarded at `nowMs`. */
  guardedFences(tableUuid: string, nowMs: number): Promise<readonly Fence[]>;

  /** Null while the catalog works as usual. Else all that changes tables, namespaces and moves is refused: `unavailable`. */
  findMaintenance(): Promise<Maintenance | null>;
  /** When it is done, no change is under way any more that has not seen it. */
  setMaintenance(maintenance: Maintenance | null): Promise<void>;
  sizes(nowMs: number): Promise<CatalogSizes>;
  close(): Promise<void>;
}
