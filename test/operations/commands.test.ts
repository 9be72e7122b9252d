import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { runCli } from '../../src/cli/program.ts';
import { processTerminal } from '../../src/cli/terminal.ts';
import { embedded, newTable } from '../catalog/lake.ts';
import { folder } from './filled-database.ts';
import { writeProject } from './serving-process.ts';

let dir: string;
beforeEach(async () => {
  dir = await folder();
  await writeProject(dir);
});
afterEach(() => rm(dir, { recursive: true }));

/** The exit code and the JSON of a command in the project; of an error its `error`. */
async function lake(...args: string[]): Promise<{ code: number; json: Record<string, unknown> }> {
  let said = '';
  const sink = {
    write: (text: string) => {
      said += text;
    },
    isTTY: false,
  };
  const code = await runCli(['-C', dir, '-o', 'json', ...args], {
    ...processTerminal(),
    stdout: sink,
    stderr: sink,
    cwd: dir,
  });
  return { code, json: JSON.parse(said) };
}

it('backs up, restores elsewhere, and refuses to do so over anything', async () => {
  const under = await embedded();
  await writeProject(dir, {}, under.database);
  await newTable(under.catalog, { namespace: ['n'], name: 't' });
  expect(await lake('catalog', 'backup', 'b')).toMatchObject({
    code: 0,
    json: { file: join(dir, 'b'), rows: { tables: 1 } },
  });
  expect(await lake('catalog', 'backup', 'b')).toMatchObject({
    code: 1,
    json: { error: { kind: 'already-exists' } },
  });
  expect(await lake('catalog', 'restore', 'b')).toMatchObject({
    code: 1,
    json: { error: { kind: 'not-empty' } },
  });
  await newTable(under.catalog, { namespace: ['n'], name: 'later' });
  expect(await lake('catalog', 'restore', 'b', '--into', 'sub/new.db')).toMatchObject({
    code: 0,
    json: {
      restored: join(dir, 'sub/new.db'),
      rows: { tables: 1, namespaces: 1 },
      ended_moves: [],
      problems: [],
    },
  });
  expect(await lake('catalog', 'restore', 'none')).toMatchObject({
    code: 1,
    json: { error: { kind: 'not-found' } },
  });
  expect(await lake('catalog', 'migrate', '--to', 'third.db', '--dry-run')).toMatchObject({
    json: { tables: 2, moved: false },
  });
  expect(await lake('catalog', 'migrate', '--to', 'third.db')).toMatchObject({
    code: 0,
    json: { tables: 2, moved: true },
  });
  expect(await lake('catalog', 'maintenance', 'status')).toMatchObject({
    json: { maintenance: true, reason: `moved to ${join(dir, 'third.db')}` },
  });
  await under.dispose();
});

it('switches maintenance, in which reads go on', async () => {
  expect(await lake('catalog', 'maintenance', 'on', '--reason', 'upgrade')).toMatchObject({
    code: 0,
    json: { maintenance: true, reason: 'upgrade', since: expect.any(String) },
  });
  expect(await lake('table', 'list')).toMatchObject({ code: 0 });
  expect(await lake('catalog', 'maintenance', 'off')).toMatchObject({
    code: 0,
    json: { maintenance: false },
  });
});

it('says what a migration would do, does it, and keeps a copy of the old file', async () => {
  expect(await lake('catalog', 'migrate')).toMatchObject({ code: 0, json: { from: 0, migrated: true } });
  const old = new DatabaseSync(join(dir, 'catalog.db'));
  old.exec('DROP TABLE switches; PRAGMA user_version = 3');
  old.close();
  const dry = await lake('catalog', 'migrate', '--dry-run');
  expect(dry).toMatchObject({ code: 0, json: { from: 3, migrated: false } });
  const done = await lake('catalog', 'migrate');
  const copy = join(dir, 'catalog.db.version-3');
  expect(done).toMatchObject({ code: 0, json: { from: 3, to: dry.json['to'], migrated: true, copy } });
  const kept = new DatabaseSync(copy, { readOnly: true });
  expect(kept.prepare('PRAGMA user_version').get()).toEqual({ user_version: 3 });
  kept.close();
  expect(await lake('catalog', 'migrate')).toMatchObject({ json: { from: dry.json['to'], migrated: false } });
});
