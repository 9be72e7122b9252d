import { LakeError } from '../../src/errors.ts';
import { noSuchNamespace } from './not-there.ts';
import { limitOf, type Page, type PageRequest, toPage } from './page.ts';
import type { Sql } from './sql-database.ts';
import type { Levels } from './table-name.ts';

const SEPARATOR = '\u001f';
/** The code point after it: what lies between the two has the prefix. */
const AFTER_SEPARATOR = '\u0020';

/** How a namespace stands in the database. */
export const joinLevels = (levels: Levels): string => levels.join(SEPARATOR);
export const splitLevels = (text: string): Levels => text.split(SEPARATOR);

export async function listNamespaces(sql: Sql, parent: Levels, page: PageRequest): Promise<Page<Levels>> {
  if (parent.length > 0) await requireNamespace(sql, parent);
  const within = parent.length === 0 ? null : `${joinLevels(parent)}${AFTER_SEPARATOR}`;
  const prefix = parent.length === 0 ? '' : `${joinLevels(parent)}${SEPARATOR}`;
  const rows = await sql.all(
    `SELECT levels FROM namespaces
     WHERE levels > ? AND length(levels) - length(replace(levels, ?, '')) = ? ${within === null ? '' : 'AND levels < ?'}
     ORDER BY levels LIMIT ?`,
    page.after !== undefined && page.after > prefix ? page.after : prefix,
    SEPARATOR,
    parent.length,
    ...(within === null ? [] : [within]),
    limitOf(page),
  );
  const levels = rows.map((row) => splitLevels(String(row['levels'])));
  return toPage(levels, page, joinLevels);
}

export async function createNamespace(
  sql: Sql,
  levels: Levels,
  properties: Readonly<Record<string, string>>,
): Promise<void> {
  if ((await findNamespace(sql, levels)) !== null) {
    throw new LakeError('already-exists', `Namespace already exists: ${levels.join('.')}`);
  }
  for (let depth = 1; depth < levels.length; depth++) {
    await sql.run(
      "INSERT INTO namespaces VALUES (?, '{}') ON CONFLICT DO NOTHING",
      joinLevels(levels.slice(0, depth)),
    );
  }
  await sql.run('INSERT INTO namespaces VALUES (?, ?)', joinLevels(levels), JSON.stringify(properties));
}

async function findNamespace(sql: Sql, levels: Levels): Promise<Readonly<Record<string, string>> | null> {
  const row = await sql.get('SELECT properties FROM namespaces WHERE levels = ?', joinLevels(levels));
  return row === undefined ? null : JSON.parse(String(row['properties']));
}

/** The properties of a namespace that has to be there. */
export async function requireNamespace(sql: Sql, levels: Levels): Promise<Readonly<Record<string, string>>> {
  const properties = await findNamespace(sql, levels);
  if (properties === null) throw noSuchNamespace(levels);
  return properties;
}

export async function writeProperties(
  sql: Sql,
  levels: Levels,
  properties: Readonly<Record<string, string>>,
): Promise<void> {
  await sql.run(
    'UPDATE namespaces SET properties = ? WHERE levels = ?',
    JSON.stringify(properties),
    joinLevels(levels),
  );
}

export async function dropNamespace(sql: Sql, levels: Levels): Promise<void> {
  await requireNamespace(sql, levels);
  const key = joinLevels(levels);
  const held = await sql.get(
    `SELECT 1 FROM tables WHERE namespace = ?1
     UNION ALL SELECT 1 FROM views WHERE namespace = ?1
     UNION ALL SELECT 1 FROM namespaces WHERE levels > ?2 AND levels < ?3 LIMIT 1`,
    key,
    key + SEPARATOR,
    key + AFTER_SEPARATOR,
  );
  if (held !== undefined) {
    throw new LakeError('not-empty', `Namespace ${levels.join('.')} is not empty`, {
      hint: 'Drop its tables, views and inner namespaces first.',
    });
  }
  await sql.run('DELETE FROM namespaces WHERE levels = ?', key);
}
