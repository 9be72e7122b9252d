import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { backUp } from '../../catalog/operations/backup.ts';
import { BACKED_UP_TABLES, NOT_BACKED_UP } from '../../catalog/operations/backup-tables.ts';
import { restoreBackup } from '../../catalog/operations/restore.ts';
import { openSqlDatabase } from '../../catalog/store/open-store.ts';
import type { SqlDatabase } from '../../catalog/store/sql-database.ts';
import { systemClock } from '../../src/clock.ts';
import { filledDatabase, folder, rowsOf } from './filled-database.ts';

let dir: string;
let filled: SqlDatabase;
let backup: string;

const opened = (name: string): Promise<SqlDatabase> => openSqlDatabase(join(dir, name), systemClock);

beforeAll(async () => {
  dir = await folder();
  filled = await filledDatabase(join(dir, 'filled.db'));
  backup = join(dir, 'backup');
  await backUp(filled, backup, systemClock);
});

afterAll(async () => {
  await filled.close();
  await rm(dir, { recursive: true });
});

it('knows every table of the schema, or says why it is left out', async () => {
  const tables = await filled.all(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'",
  );
  const known = [...BACKED_UP_TABLES.map(({ name }) => name), ...NOT_BACKED_UP];
  expect(tables.map((row) => String(row['name'])).sort()).toEqual(known.sort());
  for (const { name, key } of BACKED_UP_TABLES) {
    const columns = await filled.all('SELECT name, pk FROM pragma_table_info(?) ORDER BY pk', name);
    const primary = columns.filter((row) => Number(row['pk']) > 0).map((row) => row['name']);
    expect(key, name).toEqual(primary);
  }
});

it('brings back every row of every table, and ends moves that were copying', async () => {
  const restored = await opened('restored.db');
  const result = await restoreBackup(restored, backup);
  expect(result.endedMoves).toEqual(['r-copying']);
  const before = await rowsOf(filled);
  for (const [table, rows] of Object.entries(before)) {
    // Each table has rows, so that none is compared in vain; more than a page of one.
    expect(rows.length, table).toBeGreaterThan(0);
    expect(result.rows[table]).toBe(rows.length);
  }
  expect(Object.values(before).some((rows) => rows.length > 500)).toBe(true);
  const expected = structuredClone(before);
  for (const row of expected['relocations'] ?? []) {
    if (row['state'] === 'copying') Object.assign(row, { state: 'cleaned' });
  }
  expect(await rowsOf(restored)).toEqual(expected);
  for (const name of NOT_BACKED_UP) expect(await restored.all(`SELECT * FROM ${name}`)).toEqual([]);
  await restored.close();
});

it('is for its owner alone, and replaces no file', async () => {
  expect((await stat(backup)).mode & 0o777).toBe(0o600);
  await expect(backUp(filled, backup, systemClock)).rejects.toMatchObject({ kind: 'already-exists' });
});

it('restores nothing into a catalog that holds anything', async () => {
  const other = await opened('other.db');
  await other.run("INSERT INTO namespaces VALUES ('mine', '{}')");
  await expect(restoreBackup(other, backup)).rejects.toMatchObject({ kind: 'not-empty' });
  expect(await other.all('SELECT levels FROM namespaces')).toEqual([{ levels: 'mine' }]);
  await other.close();
});

it('refuses a file that was cut or changed anywhere, and leaves the catalog empty', async () => {
  const bytes = await readFile(backup);
  const target = await opened('target.db');
  const damagedFile = join(dir, 'damaged');
  const refused = async (damaged: Uint8Array) => {
    await writeFile(damagedFile, damaged);
    await expect(restoreBackup(target, damagedFile)).rejects.toMatchObject({ kind: 'corrupt' });
  };
  const at = fc.integer({ min: 0, max: bytes.length - 1 });
  await fc.assert(
    fc.asyncProperty(at, fc.integer({ min: 0, max: 7 }), async (position, bit) => {
      const flipped = Uint8Array.from(bytes);
      flipped[position] = (flipped[position] ?? 0) ^ (1 << bit);
      // A few bits of gzip's own mean nothing: its time, what fills up the last byte.
      fc.pre(!isSame(flipped, bytes));
      await refused(flipped);
    }),
    { numRuns: 60 },
  );
  await fc.assert(
    fc.asyncProperty(at, (length) => refused(bytes.subarray(0, length))),
    { numRuns: 40 },
  );
  for (const rows of Object.values(await rowsOf(target))) expect(rows).toEqual([]);
  await target.close();
});

/** True if both unpack to the same bytes. */
function isSame(one: Uint8Array, other: Uint8Array): boolean {
  try {
    return gunzipSync(one).equals(gunzipSync(other));
  } catch {
    return false;
  }
}
