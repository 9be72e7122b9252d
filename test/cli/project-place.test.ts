import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openEmbeddedCatalog } from '../../src/catalog-client/embedded.ts';
import { commandsIn } from '../../src/cli/own-command.ts';
import { systemClock } from '../../src/clock.ts';
import { newTable } from '../catalog/lake.ts';
import { lake } from './recorded-terminal.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lake-place-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it('doctor warns of tables that are those of the project this one was copied from', async () => {
  const original = join(folder, 'original');
  await mkdir(join(original, '.lake'), { recursive: true });
  await writeFile(
    join(original, 'lake.yaml'),
    'version: 1\nname: test\nwarehouse: ./.lake/warehouse\ncatalog: { embedded: ./.lake/catalog.db }\n',
  );
  const warehouse = `file://${original}/.lake/warehouse`;
  const database = join(original, '.lake', 'catalog.db');
  const catalog = await openEmbeddedCatalog({ database, warehouse, clock: systemClock });
  await newTable(catalog, { namespace: ['gold'], name: 't' });
  await catalog.close();
  const copied = join(folder, 'copied');
  await cp(original, copied, { recursive: true });

  type Finding = { check: string; status: string; detail: string };
  const doctor = async (project: string) => {
    const { code, stdout } = await lake(project, ['--output', 'json', 'doctor']);
    const findings: Finding[] = JSON.parse(stdout);
    return { code, warnings: findings.filter(({ status }) => status === 'warn') };
  };
  expect(await doctor(original)).toEqual({ code: 0, warnings: [] });
  const { code, warnings } = await doctor(copied);
  expect(code).toBe(0);
  expect(warnings).toMatchObject([{ check: 'places of tables' }]);
  expect(warnings[0]?.detail).toContain(
    `1 of 1 tables lie outside this project's tiers, such as gold.t at ${warehouse}`,
  );
});

it('neither expiry nor orphan removal deletes for a project that was copied', async () => {
  const copied = join(folder, 'copied');
  for (const command of ['expire', 'orphans']) {
    const { code, stdout } = await lake(copied, ['--yes', '--output', 'json', command]);
    expect(code, command).toBe(1);
    expect(JSON.parse(stdout).refused).toMatchObject([
      { table: 'gold.t', kind: 'unsupported', reason: expect.stringContaining('copied') },
    ]);
    const original = await lake(join(folder, 'original'), ['--yes', '--output', 'json', command]);
    expect(original.code, command).toBe(0);
    expect(JSON.parse(original.stdout).refused).toEqual([]);
  }
});

it('-C takes no project above for a folder that is not there', async () => {
  const original = join(folder, 'original');
  for (const [name, what] of [
    ['mistyped', 'does not exist'],
    ['lake.yaml', 'is no folder'],
  ] as const) {
    const { code, stderr } = await lake(original, ['-C', name, 'table', 'list']);
    expect(code).toBe(2);
    expect(stderr).toContain(`-C: ${join(original, name)} ${what}`);
  }
  await mkdir(join(original, 'below'));
  expect((await lake(original, ['-C', 'below', 'table', 'list'])).code).toBe(0);
});

it('init names the command that works where the user is', () => {
  const where = (env: Record<string, string>) => commandsIn({ cwd: '/work', env }, '/work/my lake', 'run');
  expect(where({ npm_command: 'run' })).toEqual(["npm run lake -- -C 'my lake' run"]);
  expect(where({ npm_command: 'run-script' })).toEqual(["npm run lake -- -C 'my lake' run"]);
  expect(where({ npm_command: 'exec' })).toEqual(["npx lake -C 'my lake' run"]);
  const [only, ...more] = where({ PATH: folder });
  expect(more).toEqual([]);
  expect(only).toContain(process.execPath);
  expect(only).toMatch(/-C 'my lake' run$/);
});

it('init names plain lake where it is on the PATH', async () => {
  await writeFile(join(folder, process.platform === 'win32' ? 'lake.cmd' : 'lake'), '');
  const lines = commandsIn({ cwd: '/work', env: { PATH: folder } }, '/elsewhere/x', 'run');
  expect(lines).toEqual(['cd /elsewhere/x', 'lake run']);
});

it('init makes nothing of an example that is not there', async () => {
  const { code, stderr } = await lake(folder, ['init', 'new', '--example', 'flihgts']);
  expect(code).toBe(2);
  expect(stderr).toContain('Did you mean "flights"?');
});
