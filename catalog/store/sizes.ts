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
  /** Moves that are copying, and whose table nobody has the right to move: they wait to be resumed. */
  readonly interrupted: number;
  /** When the oldest move that is copying began, ms since 1970; null if there is none. */
  readonly oldestCopyingMs: number | null;
  /** Retired objects that still stand. */
  readonly ledgerObjects: number;
  /** Those of them whose grace has passed. */
  readonly ledgerOverdue: number;
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
    interrupted: await count(
      sql,
      `SELECT COUNT(*) AS n FROM relocations WHERE state = 'copying' AND NOT EXISTS
         (SELECT 1 FROM leases WHERE leases.table_uuid = relocations.table_uuid AND expires_at_ms > ?)`,
      nowMs,
    ),
    oldestCopyingMs: await oldest(sql),
    ledgerObjects: await count(sql, 'SELECT COUNT(*) AS n FROM ledger WHERE deleted_at_ms IS NULL'),
    ledgerOverdue: await count(
      sql,
      'SELECT COUNT(*) AS n FROM ledger WHERE deleted_at_ms IS NULL AND delete_after_ms <= ?',
      nowMs,
    ),
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

async function oldest(sql: Sql): Promise<number | null> {
  const row = await sql.get("SELECT MIN(created_at_ms) AS ms FROM relocations WHERE state = 'copying'");
  const ms = row?.['ms'] ?? null;
  return ms === null ? null : Number(ms);
}

async function byState(sql: Sql, query: string): Promise<Readonly<Record<string, number>>> {
  const rows = await sql.all(query);
  return Object.fromEntries(rows.map((row) => [String(row['state']), Number(row['n'])]));
}
