import { LakeError } from '../../src/errors.ts';
import type { Levels, Page, PageRequest } from './catalog-store.ts';
import { noSuchNamespace } from './not-there.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

const SEPARATOR = '\u001f';

/** How a namespace stands in the database. */
export const joinLevels = (levels: Levels): string => levels.join(SEPARATOR);
export const splitLevels = (text: string): Levels => text.split(SEPARATOR);

/** Cuts `rows` (fetched with one more than the limit) to a page. */
export function toPage<T>(rows: readonly T[], page: PageRequest, keyOf: (row: T) => string): Page<T> {
  if (page.limit === undefined || rows.length <= page.limit) return { rows, next: null };
  const kept = rows.slice(0, page.limit);
  const last = kept.at(-1);
  return { rows: kept, next: last === undefined ? null : keyOf(last) };
}

/** The LIMIT that lets `toPage` see whether more follows; -1 is SQLite's "all". */
export const limitOf = (page: PageRequest): number => (page.limit === undefined ? -1 : page.limit + 1);

export function listNamespaces(database: SqliteDatabase, parent: Levels, page: PageRequest): Page<Levels> {
  if (parent.length > 0) requireNamespace(database, parent);
  const prefix = parent.length === 0 ? '' : joinLevels(parent) + SEPARATOR;
  const rows = database.all(
    `SELECT levels FROM namespaces
     WHERE substr(levels, 1, length(?1)) = ?1 AND instr(substr(levels, length(?1) + 1), char(31)) = 0
       AND levels > ?2
     ORDER BY levels LIMIT ?3`,
    prefix,
    page.after ?? '',
    limitOf(page),
  );
  const levels = rows.map((row) => splitLevels(String(row['levels'])));
  return toPage(levels, page, joinLevels);
}

export function createNamespace(
  database: SqliteDatabase,
  levels: Levels,
  properties: Readonly<Record<string, string>>,
): void {
  if (findNamespace(database, levels) !== null) {
    throw new LakeError('already-exists', `Namespace already exists: ${levels.join('.')}`);
  }
  for (let depth = 1; depth < levels.length; depth++) {
    database.run(
      "INSERT INTO namespaces VALUES (?, '{}') ON CONFLICT DO NOTHING",
      joinLevels(levels.slice(0, depth)),
    );
  }
  database.run('INSERT INTO namespaces VALUES (?, ?)', joinLevels(levels), JSON.stringify(properties));
}

function findNamespace(database: SqliteDatabase, levels: Levels): Readonly<Record<string, string>> | null {
  const row = database.get('SELECT properties FROM namespaces WHERE levels = ?', joinLevels(levels));
  return row === undefined ? null : JSON.parse(String(row['properties']));
}

/** The properties of a namespace that has to be there. */
export function requireNamespace(database: SqliteDatabase, levels: Levels): Readonly<Record<string, string>> {
  const properties = findNamespace(database, levels);
  if (properties === null) throw noSuchNamespace(levels);
  return properties;
}

export function writeProperties(
  database: SqliteDatabase,
  levels: Levels,
  properties: Readonly<Record<string, string>>,
): void {
  database.run(
    'UPDATE namespaces SET properties = ? WHERE levels = ?',
    JSON.stringify(properties),
    joinLevels(levels),
  );
}

export function dropNamespace(database: SqliteDatabase, levels: Levels): void {
  requireNamespace(database, levels);
  const key = joinLevels(levels);
  const held = database.get(
    `SELECT 1 FROM tables WHERE namespace = ?1
     UNION ALL SELECT 1 FROM views WHERE namespace = ?1
     UNION ALL SELECT 1 FROM namespaces WHERE substr(levels, 1, length(?2)) = ?2 LIMIT 1`,
    key,
    key + SEPARATOR,
  );
  if (held !== undefined) {
    throw new LakeError('not-empty', `Namespace ${levels.join('.')} is not empty`, {
      hint: 'Drop its tables, views and inner namespaces first.',
    });
  }
  database.run('DELETE FROM namespaces WHERE levels = ?', key);
}
