import type { Sql } from './sql-database.ts';

/** How much the catalog holds and has to do. */
export interface CatalogSizes {
  readonly namespaces: number;
  readonly tables: number;
  readonly views: number;
  readonly leases: number;
  /** By state; states that none is in are absent. */
  readonly relocations: Readonly<Record<string, number>>;
  readonly droppedTables: Readonly<Record<string, number>>;
  /** Retired objects that still stand. */
  readonly ledgerObjects: number;
  /** What the journals of moves with objects that still stand say of their size. */
  readonly ledgerBytes: number;
}

export async function catalogSizes(sql: Sql, nowMs: number): Promise<CatalogSizes> {
  return {
    namespaces: await count(sql, 'SELECT COUNT(*) AS n FROM namespaces'),
    tables: await count(sql, 'SELECT COUNT(*) AS n FROM tables'),
    views: await count(sql, 'SELECT COUNT(*) AS n FROM views'),
    leases: await count(sql, 'SELECT COUNT(*) AS n FROM leases WHERE expires_at_ms > ?', nowMs),
    relocations: await byState(sql, 'SELECT state, COUNT(*) AS n FROM relocations GROUP BY state'),
    droppedTables: await byState(sql, 'SELECT state, COUNT(*) AS n FROM dropped_tables GROUP BY state'),
    ledgerObjects: await count(sql, 'SELECT COUNT(*) AS n FROM ledger WHERE deleted_at_ms IS NULL'),
    ledgerBytes: await count(
      sql,
      `SELECT SUM(moves.size) AS n FROM relocations JOIN moves ON moves.relocation_id = relocations.relocation_id
       WHERE relocations.state = 'swapped'`,
    ),
  };
}

async function count(sql: Sql, query: string, ...values: number[]): Promise<number> {
  const row = await sql.get(query, ...values);
  return Number(row?.['n'] ?? 0);
}

async function byState(sql: Sql, query: string): Promise<Readonly<Record<string, number>>> {
  const rows = await sql.all(query);
  return Object.fromEntries(rows.map((row) => [String(row['state']), Number(row['n'])]));
}
