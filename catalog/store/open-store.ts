import type { Clock } from '../../src/clock.ts';
import type { SqlDatabase } from './sql-database.ts';
import { SqlStore } from './sql-store.ts';

/** True for what `openSqlDatabase` takes for a PostgreSQL server, false for a path. */
export const isPostgresUrl = (place: string): boolean => /^postgres(ql)?:\/\//.test(place);

/**
 * Opens the catalog's database, and makes it if it is empty: `place` is the path of a SQLite file, whose folder has to be there, or a
 * `postgres://` URL. Errors: `usage` for a URL that is none, `unavailable`, `corrupt`, `unsupported` for one that a newer version made.
 */
export async function openSqlDatabase(place: string, clock: Clock): Promise<SqlDatabase> {
  if (isPostgresUrl(place)) {
    const { PostgresDatabase } = await import('./postgres-database.ts');
    return PostgresDatabase.open(place);
  }
  const { SqliteDatabase } = await import('./sqlite-database.ts');
  return SqliteDatabase.open(place, clock);
}

/** The catalog's store at `place`; see `openSqlDatabase`. */
export async function openCatalogStore(place: string, clock: Clock): Promise<SqlStore> {
  return new SqlStore(await openSqlDatabase(place, clock));
}
