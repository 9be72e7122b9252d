import { isKind } from '../../src/errors.ts';
import { changeNoted, noteChange, runAuditedFor } from './access-audit.ts';
import { AccessStore } from './access-store.ts';
import { appliedRequests, runForNobody } from './applied-request.ts';
import type {
  CatalogStore,
  DroppedTable,
  DropState,
  Fence,
  HeldLease,
  IdempotencyRecord,
  Lease,
  LedgerEntry,
  Levels,
  MetricsReport,
  Move,
  Page,
  PageRequest,
  PlaceOwner,
  PointerChange,
  PurgeFile,
  Relocation,
  RelocationStateChange,
  StandingPointer,
  Swap,
  TableDrop,
  TableName,
  TablePlace,
  TablePointer,
} from './catalog-store.ts';
import * as dropped from './dropped-tables.ts';
import * as ledger from './ledger.ts';
import type { Maintenance } from './maintenance.ts';
import * as maintenance from './maintenance.ts';
import * as namespaces from './namespaces.ts';
import { placeLost, type Relation } from './not-there.ts';
import * as relocations from './relocations.ts';
import * as requests from './requests.ts';
import { type CatalogSizes, catalogSizes } from './sizes.ts';
import type { Sql, SqlDatabase } from './sql-database.ts';
import * as places from './table-places.ts';
import * as tables from './tables.ts';

/** How often old idempotency records are looked for. */
const FORGET_EVERY_MS = 60_000;

/** The catalog's store in a database, which several processes may have open. See `CatalogStore`. */
export class SqlStore implements CatalogStore {
  readonly access: AccessStore;
  readonly #database: SqlDatabase;
  #forgotAtMs = 0;
  /** Transactions that have found the catalog out of maintenance: it stays so until they end. */
  readonly #workingAsUsual = new WeakSet<Sql>();

  constructor(database: SqlDatabase) {
    this.#database = database;
    this.access = new AccessStore(database);
  }

  async listNamespaces(parent: Levels, page: PageRequest): Promise<Page<Levels>> {
    return namespaces.listNamespaces(this.#database, parent, page);
  }

  async createNamespace(levels: Levels, properties: Readonly<Record<string, string>>): Promise<void> {
    await this.#write((sql) => namespaces.createNamespace(sql, levels, properties));
  }

  async loadNamespace(levels: Levels): Promise<Readonly<Record<string, string>>> {
    return namespaces.requireNamespace(this.#database, levels);
  }

  async updateNamespace(
    levels: Levels,
    change: (properties: Readonly<Record<string, string>>) => Readonly<Record<string, string>>,
  ): Promise<void> {
    await this.#write(async (sql) => {
      const properties = await namespaces.requireNamespace(sql, levels);
      await namespaces.writeProperties(sql, levels, change(properties));
    });
  }

  async dropNamespace(levels: Levels): Promise<void> {
    await this.#write((sql) => namespaces.dropNamespace(sql, levels));
  }

  async listTables(namespace: Levels, page: PageRequest): Promise<Page<string>> {
    return tables.listNames(this.#database, 'Table', namespace, page);
  }

  async allTables(): Promise<readonly TablePointer[]> {
    return tables.allTables(this.#database);
  }

  async allStanding(): Promise<readonly StandingPointer[]> {
    return tables.allStanding(this.#database);
  }

  async findTable(table: TableName): Promise<TablePointer | null> {
    return tables.find(this.#database, 'Table', table);
  }

  async changePointers(changes: readonly PointerChange[]): Promise<void> {
    await this.#write(
      async (sql) => {
        for (const change of changes) {
          await tables.changePointer(sql, 'Table', change);
          const owner = { kind: 'table', uuid: change.uuid } as const;
          await places.claimPlaces(sql, owner, change.places ?? [], change.namespace);
          for (const fence of change.fences ?? []) await ledger.addFence(sql, change.uuid, fence);
        }
      },
      onlyPointers('Table', changes),
    );
  }

  async registerTable(change: PointerChange, replaced: TableDrop['record']): Promise<void> {
    await this.#write(async (sql) => {
      const before = await tables.replacePointer(sql, change);
      await places.claimPlaces(sql, { kind: 'table', uuid: change.uuid }, change.places ?? []);
      if (before !== null && replaced !== null) await dropped.recordDrop(sql, before, replaced);
    });
  }

  async dropTable(table: TableName, drop: TableDrop): Promise<TablePointer> {
    return this.#write(async (sql) => {
      const pointer = await tables.drop(sql, 'Table', table, drop.expected);
      if (drop.record !== null) await dropped.recordDrop(sql, pointer, drop.record);
      else await places.releasePlaces(sql, { kind: 'table', uuid: pointer.uuid });
      return pointer;
    });
  }

  async listDropped(states: readonly DropState[], page: PageRequest): Promise<Page<DroppedTable>> {
    return dropped.listDropped(this.#database, states, page);
  }

  async getDropped(id: string): Promise<DroppedTable> {
    return dropped.requireDropped(this.#database, id);
  }

  async undrop(id: string, to: TableName | null): Promise<TablePointer> {
    return this.#write(async (sql) => {
      const pointer = await dropped.undrop(sql, id, to);
      if (!(await places.hasLostPlace(sql, { kind: 'table', uuid: pointer.uuid }))) return pointer;
      throw placeLost(pointer);
    });
  }

  async startPurge(id: string): Promise<void> {
    await this.#write((sql) => dropped.startPurge(sql, id));
  }

  async setPurgeState(
    id: string,
    change: { readonly state: DropState; readonly note: string | null },
  ): Promise<void> {
    await this.#write(async (sql) => {
      const { uuid } = await dropped.requireDropped(sql, id);
      await dropped.setPurgeState(sql, id, change);
      if (change.state === 'purged') await places.releasePlaces(sql, { kind: 'table', uuid });
    });
  }

  async addPurgeFiles(id: string, files: readonly PurgeFile[]): Promise<void> {
    await this.#write((sql) => dropped.addPurgeFiles(sql, id, files));
  }

  async removePurgeFiles(id: string, objects: readonly string[]): Promise<number> {
    return this.#write((sql) => dropped.removePurgeFiles(sql, id, objects));
  }

  async leaveToLedger(id: string): Promise<number> {
    return this.#write((sql) => dropped.leaveToLedger(sql, id));
  }

  async nextPurgeFiles(id: string, limit: number): Promise<readonly PurgeFile[]> {
    return dropped.nextPurgeFiles(this.#database, id, limit);
  }

  async isLeased(tableUuid: string, nowMs: number): Promise<boolean> {
    return dropped.isLeased(this.#database, tableUuid, nowMs);
  }

  async addMetricsReport(report: Omit<MetricsReport, 'seq'>, keep: number): Promise<void> {
    await this.#write((sql) => requests.addMetricsReport(sql, report, keep), [`metrics ${report.tableUuid}`]);
  }

  async listMetricsReports(tableUuid: string, page: PageRequest): Promise<Page<MetricsReport>> {
    return requests.listMetricsReports(this.#database, tableUuid, page);
  }

  async findIdempotencyRecord(key: string): Promise<IdempotencyRecord | null> {
    return requests.findIdempotencyRecord(this.#database, key);
  }

  async saveIdempotencyRecord(record: IdempotencyRecord, forgetBeforeMs: number): Promise<boolean> {
    const save = (sql: Sql) => requests.saveIdempotencyRecord(sql, record);
    const isKept = await this.#database.transaction(save, [nameOfKey(record.key)]);
    if (record.createdAtMs < this.#forgotAtMs + FORGET_EVERY_MS) return isKept;
    this.#forgotAtMs = record.createdAtMs;
    await this.#database.transaction((sql) => requests.forgetIdempotencyRecords(sql, forgetBeforeMs));
    return isKept;
  }

  async renameTable(from: TableName, to: TableName): Promise<void> {
    await this.#write((sql) => tables.rename(sql, 'Table', from, to));
  }

  async listViews(namespace: Levels, page: PageRequest): Promise<Page<string>> {
    return tables.listNames(this.#database, 'View', namespace, page);
  }

  async findView(view: TableName): Promise<TablePointer | null> {
    return tables.find(this.#database, 'View', view);
  }

  async changeView(change: PointerChange): Promise<void> {
    await this.#write(
      async (sql) => {
        await tables.changePointer(sql, 'View', change);
        await places.claimPlaces(sql, { kind: 'view', uuid: change.uuid }, change.places ?? []);
      },
      onlyPointers('View', [change]),
    );
  }

  async dropView(view: TableName): Promise<TablePointer> {
    return this.#write(async (sql) => {
      const pointer = await tables.drop(sql, 'View', view, null);
      await places.releasePlaces(sql, { kind: 'view', uuid: pointer.uuid });
      return pointer;
    });
  }

  async renameView(from: TableName, to: TableName): Promise<void> {
    await this.#write((sql) => tables.rename(sql, 'View', from, to));
  }

  async acquireLease(
    lease: Lease & { readonly tableUuid: string; readonly holder: string },
    nowMs: number,
  ): Promise<void> {
    await this.#write((sql) => relocations.acquireLease(sql, lease, nowMs));
  }

  async renewLease(lease: Lease): Promise<void> {
    await this.#write((sql) => relocations.renewLease(sql, lease), [`lease ${lease.id}`]);
  }

  async releaseLease(id: string): Promise<void> {
    await this.#write((sql) => sql.run('DELETE FROM leases WHERE lease_id = ?', id));
  }

  async createRelocation(relocation: Relocation): Promise<void> {
    await this.#write((sql) => relocations.createRelocation(sql, relocation));
  }

  async getRelocation(id: string): Promise<Relocation> {
    return relocations.requireRelocation(this.#database, id);
  }

  async listRelocations(filter: {
    readonly tableUuid?: string;
    readonly state?: string;
  }): Promise<readonly Relocation[]> {
    return relocations.listRelocations(this.#database, filter);
  }

  async addMoves(id: string, moves: readonly Move[], lease: HeldLease): Promise<void> {
    await this.#write((sql) => relocations.addMoves(sql, id, moves, lease));
  }

  async listMoves(id: string, page: PageRequest): Promise<Page<Move>> {
    return relocations.listMoves(this.#database, id, page);
  }

  async swap(request: Swap): Promise<void> {
    await this.#write((sql) => ledger.swap(sql, request));
  }

  async setRelocationState(id: string, change: RelocationStateChange): Promise<void> {
    await this.#write((sql) => relocations.setState(sql, id, change));
  }

  async listLedger(
    filter: { readonly tableUuid?: string; readonly dueBeforeMs?: number },
    page: PageRequest,
  ): Promise<Page<LedgerEntry>> {
    return ledger.listLedger(this.#database, filter, page);
  }

  async markDeleted(locations: readonly string[], nowMs: number): Promise<void> {
    await this.#write((sql) => ledger.markDeleted(sql, locations, nowMs));
  }

  async hasMoved(tableUuid: string): Promise<boolean> {
    return ledger.hasMoved(this.#database, tableUuid);
  }

  async retiredAmong(tableUuid: string, locations: readonly string[]): Promise<readonly string[]> {
    return ledger.retiredAmong(this.#database, tableUuid, locations);
  }

  async retiredBetween(tableUuid: string, lower: string, upper: string): Promise<readonly string[]> {
    return ledger.retiredBetween(this.#database, tableUuid, lower, upper);
  }

  async dataMovedTo(
    tableUuid: string,
    locations: readonly string[],
    nowMs: number,
  ): Promise<readonly string[]> {
    return ledger.dataMovedTo(this.#database, tableUuid, locations, nowMs);
  }

  async guardedFences(tableUuid: string, nowMs: number): Promise<readonly Fence[]> {
    return ledger.guardedFences(this.#database, tableUuid, nowMs);
  }

  async unplaced(): Promise<readonly StandingPointer[]> {
    return places.unplaced(this.#database);
  }

  /** No part of the request that it is met in: that one may be refused yet, and its key would say that it was applied. */
  async addPlaces(owner: PlaceOwner, added: readonly TablePlace[]): Promise<void> {
    await runForNobody(() =>
      runAuditedFor([], () => this.#write((sql) => places.addPlaces(sql, owner, added))),
    );
  }

  async claimPlaces(owner: PlaceOwner, claimed: readonly TablePlace[]): Promise<void> {
    await this.#write((sql) => places.claimPlaces(sql, owner, claimed));
  }

  async takenPlace(owner: PlaceOwner, wanted: readonly TablePlace[]): Promise<TablePlace | null> {
    return places.takenPlace(this.#database, owner, wanted, 'any');
  }

  async placesOf(owner: PlaceOwner): Promise<readonly string[]> {
    return places.placesOf(this.#database, owner);
  }

  async findMaintenance(): Promise<Maintenance | null> {
    return maintenance.findMaintenance(this.#database);
  }

  async setMaintenance(wanted: Maintenance | null): Promise<void> {
    await this.access.changeAnyTime((sql) => maintenance.setMaintenance(sql, wanted));
  }

  async sizes(nowMs: number): Promise<CatalogSizes> {
    return catalogSizes(this.#database, nowMs);
  }

  /** See `SqlDatabase.connections`; null where there is no pool. */
  connections() {
    return this.#database.connections?.() ?? null;
  }

  async close(): Promise<void> {
    await this.#database.close();
  }

  /**
   * One transaction of the request that it serves, whose key it notes. Refused in maintenance.
   *
   * @param only see `SqlDatabase.transaction`. Whatever makes, names, drops or counts on something else has none, so that nothing
   *   comes between what it looks at and what it does: the one name of a uuid, the name that tables and views share, an empty
   *   namespace, a living lease, the state of a relocation, a purge or a drop
   */
  async #write<T>(work: (sql: Sql) => Promise<T>, only?: readonly string[]): Promise<T> {
    const requested = appliedRequests();
    const wereNoted = requested.map(({ noted }) => noted);
    const noting = async (sql: Sql) => {
      await this.#refuseInMaintenance(sql);
      const result = await work(sql);
      await noteChange(sql);
      for (const request of requested) await requests.noteApplied(sql, request);
      return result;
    };
    try {
      const ofKeys = requested.map(({ key }) => nameOfKey(key));
      const names = only === undefined ? undefined : [...only, ...ofKeys];
      const result = await this.#database.transaction(noting, names);
      changeNoted();
      return result;
    } catch (error) {
      if (!isKind(error, 'unknown-outcome')) {
        for (const [at, request] of requested.entries()) request.noted = wereNoted[at] ?? false;
      }
      throw error;
    }
  }

  async #refuseInMaintenance(sql: Sql): Promise<void> {
    if (this.#workingAsUsual.has(sql)) return;
    await maintenance.refuseInMaintenance(sql);
    this.#workingAsUsual.add(sql);
  }
}

/**
 * A compare-and-set of pointers that are there changes their rows, and their tables' fences, and looks at nothing else; whatever could
 * make, drop or rename them, or move them to another uuid, has no `only`.
 */
function onlyPointers(relation: Relation, changes: readonly PointerChange[]): readonly string[] | undefined {
  const isAlone = changes.some(({ expected, places: taken = [] }) => expected === null || taken.length > 0);
  if (isAlone) return undefined;
  return changes.map((change) => `${relation} ${namespaces.joinLevels([...change.namespace, change.name])}`);
}

const nameOfKey = (key: string): string => `key ${key}`;
