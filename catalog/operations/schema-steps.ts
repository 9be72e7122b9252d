import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { isPostgresUrl } from '../store/open-store.ts';
import { postgresVersion } from '../store/postgres-version.ts';
import { SCHEMA_VERSION } from '../store/schema.ts';
import { fromSqlite } from '../store/sqlite-errors.ts';

/** The version of a catalog's schema, 0 where there is none yet, and the one that this program makes of it. Changes nothing. */
export async function schemaSteps(place: string): Promise<{ readonly from: number; readonly to: number }> {
  const from = isPostgresUrl(place) ? await postgresVersion(place) : sqliteVersion(place);
  return { from, to: SCHEMA_VERSION };
}

function sqliteVersion(path: string): number {
  if (!existsSync(path)) return 0;
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    return Number(database.prepare('PRAGMA user_version').get()?.['user_version']);
  } catch (error) {
    throw fromSqlite(error, path);
  } finally {
    database.close();
  }
}

/** Copies a SQLite database as it is at one moment to a new file beside it, named after its version; the copy's path. */
export async function copyBeside(path: string, version: number): Promise<string> {
  let copy = `${path}.version-${version}`;
  for (let at = 2; existsSync(copy); at++) copy = `${path}.version-${version}-${at}`;
  const database = new DatabaseSync(path);
  try {
    database.prepare('VACUUM INTO ?').run(copy);
    return copy;
  } catch (error) {
    throw fromSqlite(error, path);
  } finally {
    database.close();
  }
}
