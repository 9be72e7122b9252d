import { describe, expect, it } from 'vitest';
import type { SqlStore } from '../../catalog/store/sql-store.ts';
import { type OpenedStores, openedStores, outcomes } from './opened-stores.ts';
/** Transactions and snapshots, whatever the database. */
export function sqlDatabaseContract(name: string, place: (folder: string) => string): void {
  describe(`SQL database: ${name}`, () => {
    let store: SqlStore;
    let other: SqlStore;
    let openDatabase: OpenedStores['openDatabase'];
    openedStores(place, (opened) => {
      ({ store, other, openDatabase } = opened);
    });

    it('undoes all of a transaction that throws, and nothing of the others', async () => {
      const database = await openDatabase();
      const insert = "INSERT INTO namespaces VALUES (?, '{}')";
      const told = await outcomes([
        database.transaction(async (sql) => sql.run(insert, 'one')),
        database.transaction(async (sql) => {
          await sql.run(insert, 'two');
          await sql.run(insert, 'one');
        }),
        database.transaction(async (sql) => {
          await sql.run(insert, 'three');
          throw Object.assign(new Error('on purpose'), { kind: 'own' });
        }),
        database.transaction(async (sql) => sql.run('INSERT INTO nowhere VALUES (1)')),
        database.transaction(async (sql) => sql.run(insert, 'four')),
      ]);
      expect(told).toEqual(['done', 'unavailable', 'own', 'unavailable', 'done']);
      const rows = await database.all('SELECT levels FROM namespaces ORDER BY levels');
      expect(rows.map(({ levels }) => levels)).toEqual(['four', 'n', 'one']);
    });

    it('shows nothing of a transaction to others before it is committed', async () => {
      const database = await openDatabase();
      const { promise: gate, resolve: openGate } = Promise.withResolvers<void>();
      const { promise: written, resolve: hasWritten } = Promise.withResolvers<void>();
      const change = database.transaction(async (sql) => {
        await sql.run("INSERT INTO namespaces VALUES ('half', '{}')");
        hasWritten();
        await gate;
        await sql.run("INSERT INTO namespaces VALUES ('whole', '{}')");
      });
      await written;
      const later = store.listNamespaces([], {});
      expect((await later).rows).toEqual([['n']]);
      expect(await database.get("SELECT 1 AS found FROM namespaces WHERE levels = 'half'")).toBeUndefined();
      openGate();
      await change;
      expect((await other.listNamespaces([], {})).rows).toEqual([['half'], ['n'], ['whole']]);
    });

    it('reads one moment in a snapshot while others write', async () => {
      const database = await openDatabase();
      const read = await database.snapshot(async (sql) => {
        const before = await sql.all('SELECT levels FROM namespaces');
        await other.createNamespace(['meanwhile'], {});
        return [before, await sql.all('SELECT levels FROM namespaces')];
      });
      expect(read[1]).toEqual(read[0]);
      expect(read[0]).toHaveLength(1);
    });
  });
}
