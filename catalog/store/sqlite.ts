import type { Clock } from '../../src/clock.ts';
import { appliedRequest } from './applied-request.ts';
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
  PointerChange,
  PurgeFile,
  Relocation,
  RelocationStateChange,
  StandingPointer,
  Swap,
  TableDrop,
  TableName,
  TablePointer,
} from './catalog-store.ts';
import { SqliteDatabase } from './sqlite-database.ts';
import * as dropped from './sqlite-dropped.ts';
import * as ledger from './sqlite-ledger.ts';
import * as namespaces from './sqlite-namespaces.ts';
import * as relocations from './sqlite-relocations.ts';
import * as requests from './sqlite-requests.ts';
import * as tables from './sqlite-tables.ts';

/** The catalog's store in one SQLite file, which several processes may have open. See `CatalogStore`. */
export class SqliteStore implements CatalogStore {
  readonly #database: SqliteDatabase;

  private constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  /** Opens or creates the file at `path`; its folder has to be there. Errors: `unavailable`, `corrupt`. */
  static async open(path: string, clock: Clock): Promise<SqliteStore> {
    return new SqliteStore(await SqliteDatabase.open(path, clock));
  }

  async listNamespaces(parent: Levels, page: PageRequest): Promise<Page<Levels>> {
    return namespaces.listNamespaces(this.#database, parent, page);
  }

  async createNamespace(levels: Levels, properties: Readonly<Record<string, string>>): Promise<void> {
    this.#write((database) => namespaces.createNamespace(database, levels, properties));
  }

  async loadNamespace(levels: Levels): Promise<Readonly<Record<string, string>>> {
    return namespaces.requireNamespace(this.#database, levels);
  }

  async updateNamespace(
    levels: Levels,
    change: (properties: Readonly<Record<string, string>>) => Readonly<Record<string, string>>,
  ): Promise<void> {
    this.#write((database) => {
      const properties = namespaces.requireNamespace(database, levels);
      namespaces.writeProperties(database, levels, change(properties));
    });
  }

  async dropNamespace(levels: Levels): Promise<void> {
    this.#write((database) => namespaces.dropNamespace(database, levels));
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
    this.#write((database) => {
      for (const change of changes) {
        tables.changePointer(database, 'Table', change);
        for (const fence of change.fences ?? []) ledger.addFence(database, change.uuid, fence);
      }
    });
  }

  async registerTable(change: PointerChange, replaced: TableDrop['record']): Promise<void> {
    this.#write((database) => {
      const before = tables.find(database, 'Table', change);
      tables.changePointer(database, 'Table', change);
      if (before !== null && replaced !== null) dropped.recordDrop(database, before, replaced);
    });
  }

  async dropTable(table: TableName, drop: TableDrop): Promise<TablePointer> {
    return this.#write((database) => {
      const pointer = tables.drop(database, 'Table', table, drop.expected);
      if (drop.record !== null) dropped.recordDrop(database, pointer, drop.record);
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
    return this.#write((database) => dropped.undrop(database, id, to));
  }

  async startPurge(id: string): Promise<void> {
    this.#write((database) => dropped.startPurge(database, id));
  }

  async setPurgeState(
    id: string,
    change: { readonly state: DropState; readonly note: string | null },
  ): Promise<void> {
    this.#write((database) => dropped.setPurgeState(database, id, change));
  }

  async addPurgeFiles(id: string, files: readonly PurgeFile[]): Promise<void> {
    this.#write((database) => dropped.addPurgeFiles(database, id, files));
  }

  async removePurgeFiles(id: string, objects: readonly string[]): Promise<number> {
    return this.#write((database) => dropped.removePurgeFiles(database, id, objects));
  }

  async leaveToLedger(id: string): Promise<number> {
    return this.#write((database) => dropped.leaveToLedger(database, id));
  }

  async nextPurgeFiles(id: string, limit: number): Promise<readonly PurgeFile[]> {
    return dropped.nextPurgeFiles(this.#database, id, limit);
  }

  async isLeased(tableUuid: string, nowMs: number): Promise<boolean> {
    return dropped.isLeased(this.#database, tableUuid, nowMs);
  }

  async addMetricsReport(report: Omit<MetricsReport, 'seq'>, keep: number): Promise<void> {
    this.#write((database) => requests.addMetricsReport(database, report, keep));
  }

  async listMetricsReports(tableUuid: string, page: PageRequest): Promise<Page<MetricsReport>> {
    return requests.listMetricsReports(this.#database, tableUuid, page);
  }

  async findIdempotencyRecord(key: string): Promise<IdempotencyRecord | null> {
    return requests.findIdempotencyRecord(this.#database, key);
  }

  async saveIdempotencyRecord(record: IdempotencyRecord, forgetBeforeMs: number): Promise<void> {
    const save = () => requests.saveIdempotencyRecord(this.#database, record, forgetBeforeMs);
    this.#database.transaction(save);
  }

  async renameTable(from: TableName, to: TableName): Promise<void> {
    this.#write((database) => tables.rename(database, 'Table', from, to));
  }

  async listViews(namespace: Levels, page: PageRequest): Promise<Page<string>> {
    return tables.listNames(this.#database, 'View', namespace, page);
  }

  async findView(view: TableName): Promise<TablePointer | null> {
    return tables.find(this.#database, 'View', view);
  }

  async changeView(change: PointerChange): Promise<void> {
    this.#write((database) => tables.changePointer(database, 'View', change));
  }

  async dropView(view: TableName): Promise<TablePointer> {
    return this.#write((database) => tables.drop(database, 'View', view, null));
  }

  async renameView(from: TableName, to: TableName): Promise<void> {
    this.#write((database) => tables.rename(database, 'View', from, to));
  }

  async acquireLease(
    lease: Lease & { readonly tableUuid: string; readonly holder: string },
    nowMs: number,
  ): Promise<void> {
    this.#write((database) => relocations.acquireLease(database, lease, nowMs));
  }

  async renewLease(lease: Lease): Promise<void> {
    this.#write((database) => relocations.renewLease(database, lease));
  }

  async releaseLease(id: string): Promise<void> {
    this.#write((database) => database.run('DELETE FROM leases WHERE lease_id = ?', id));
  }

  async createRelocation(relocation: Relocation): Promise<void> {
    this.#write((database) => relocations.createRelocation(database, relocation));
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
    this.#write((database) => relocations.addMoves(database, id, moves, lease));
  }

  async listMoves(id: string, page: PageRequest): Promise<Page<Move>> {
    return relocations.listMoves(this.#database, id, page);
  }

  async swap(request: Swap): Promise<void> {
    this.#write((database) => ledger.swap(database, request));
  }

  async setRelocationState(id: string, change: RelocationStateChange): Promise<void> {
    this.#write((database) => relocations.setState(database, id, change));
  }

  async listLedger(
    filter: { readonly tableUuid?: string; readonly dueBeforeMs?: number },
    page: PageRequest,
  ): Promise<Page<LedgerEntry>> {
    return ledger.listLedger(this.#database, filter, page);
  }

  async markDeleted(locations: readonly string[], nowMs: number): Promise<void> {
    this.#write((database) => ledger.markDeleted(database, locations, nowMs));
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

  async close(): Promise<void> {
    this.#database.close();
  }

  #write<T>(work: (database: SqliteDatabase) => T): T {
    return this.#database.transaction(() => {
      const result = work(this.#database);
      const request = appliedRequest();
      if (request !== undefined) requests.noteApplied(this.#database, request);
      return result;
    });
  }
}
