import type { Clock } from '../../src/clock.ts';
import type {
  CatalogStore,
  Fence,
  HeldLease,
  Lease,
  LedgerEntry,
  Levels,
  Move,
  Page,
  PageRequest,
  PointerChange,
  Relocation,
  RelocationStateChange,
  Swap,
  TableName,
  TablePointer,
} from './catalog-store.ts';
import { SqliteDatabase } from './sqlite-database.ts';
import * as ledger from './sqlite-ledger.ts';
import * as relocations from './sqlite-relocations.ts';
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
    return tables.listNamespaces(this.#database, parent, page);
  }

  async createNamespace(levels: Levels, properties: Readonly<Record<string, string>>): Promise<void> {
    this.#write((database) => tables.createNamespace(database, levels, properties));
  }

  async loadNamespace(levels: Levels): Promise<Readonly<Record<string, string>>> {
    return tables.requireNamespace(this.#database, levels);
  }

  async updateNamespace(
    levels: Levels,
    change: (properties: Readonly<Record<string, string>>) => Readonly<Record<string, string>>,
  ): Promise<void> {
    this.#write((database) => {
      const properties = tables.requireNamespace(database, levels);
      tables.writeProperties(database, levels, change(properties));
    });
  }

  async dropNamespace(levels: Levels): Promise<void> {
    this.#write((database) => tables.dropNamespace(database, levels));
  }

  async listTables(namespace: Levels, page: PageRequest): Promise<Page<string>> {
    return tables.listTables(this.#database, namespace, page);
  }

  async allTables(): Promise<readonly TablePointer[]> {
    return tables.allTables(this.#database);
  }

  async findTable(table: TableName): Promise<TablePointer | null> {
    return tables.findTable(this.#database, table);
  }

  async changePointers(changes: readonly PointerChange[]): Promise<void> {
    this.#write((database) => {
      for (const change of changes) {
        tables.changePointer(database, change);
        for (const fence of change.fences ?? []) ledger.addFence(database, change.uuid, fence);
      }
    });
  }

  async dropTable(table: TableName): Promise<TablePointer> {
    return this.#write((database) => tables.dropTable(database, table));
  }

  async renameTable(from: TableName, to: TableName): Promise<void> {
    this.#write((database) => tables.renameTable(database, from, to));
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
    return this.#database.transaction(() => work(this.#database));
  }
}
