import { LakeError } from '../../src/errors.ts';
import type { Sql } from './sql-database.ts';

/** While it holds, the catalog answers reads and applies no change. */
export interface Maintenance {
  /** Wall clock, ms. */
  readonly sinceMs: number;
  /** For those who are refused; null if nothing was said. */
  readonly reason: string | null;
}

/** What the schema has for it. */
export const SWITCHES_DDL = `
CREATE TABLE IF NOT EXISTS switches (
  name TEXT PRIMARY KEY,
  since_ms INTEGER NOT NULL,
  reason TEXT
) STRICT;
`;

const NAME = 'maintenance';
const RETRY_SECONDS = 10;

/** Null while the catalog works as usual. */
export async function findMaintenance(sql: Sql): Promise<Maintenance | null> {
  const row = await sql.get('SELECT since_ms, reason FROM switches WHERE name = ?', NAME);
  if (row === undefined) return null;
  return { sinceMs: Number(row['since_ms']), reason: row['reason'] === null ? null : String(row['reason']) };
}

/** Switches it on, or off with null. The transaction ends only when no change is under way any more that has not seen it. */
export async function setMaintenance(sql: Sql, maintenance: Maintenance | null): Promise<void> {
  await sql.run('DELETE FROM switches WHERE name = ?', NAME);
  if (maintenance === null) return;
  const { sinceMs, reason } = maintenance;
  await sql.run('INSERT INTO switches (name, since_ms, reason) VALUES (?, ?, ?)', NAME, sinceMs, reason);
}

/** For the transaction of a change: read in it, as the switch waits for the changes before it and holds for those after it. */
export async function refuseInMaintenance(sql: Sql): Promise<void> {
  const maintenance = await findMaintenance(sql);
  if (maintenance !== null) throw inMaintenance(maintenance);
}

/** What a change is answered with meanwhile: it is certain that nothing was applied. */
export function inMaintenance({ reason }: Maintenance): LakeError {
  const why = reason === null ? '' : ` (${reason})`;
  return new LakeError('unavailable', `The catalog is in maintenance${why}: it takes no changes`, {
    hint: 'Nothing was applied: send it again later. Reads are answered.',
    context: { retryAfterSeconds: RETRY_SECONDS },
  });
}
