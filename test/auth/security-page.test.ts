import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Access } from '../../catalog/auth/access.ts';
import { type GuardedCatalog, guardedCatalog } from './guarded-catalog.ts';
import { RouteList } from './routes.ts';

const page = new URL('../../docs/security.md', import.meta.url);
const BEGIN = '<!-- routes: written by test/auth/security-page.test.ts -->\n';
const END = '<!-- /routes -->';
const routes = new RouteList();
let catalog: GuardedCatalog;

beforeAll(async () => {
  catalog = await guardedCatalog({}, undefined, routes);
});
afterAll(() => catalog.dispose());

function saysOf(access: Access | undefined): string {
  if (access === undefined) return 'undeclared';
  if (access === 'public') return 'nothing';
  return access === 'authenticated' ? 'any valid token' : access.says.replace(/^see on/, 'any right on');
}

/** Set LAKE_UPDATE_DOCS=1 to write the page anew. */
it('docs/security.md says of every route what it needs', async () => {
  const rows = [...routes.found].map(([route, access]) => `| \`${route}\` | ${saysOf(access)} |`);
  const table = ['| request | needs |', '|---|---|', ...rows.sort()].join('\n');
  const text = await readFile(page, 'utf8');
  const [before = '', rest = ''] = text.split(BEGIN);
  const [found = '', after = ''] = rest.split(END);
  if (process.env['LAKE_UPDATE_DOCS'] === '1') {
    await writeFile(page, `${before}${BEGIN}${table}\n${END}${after}`);
    return;
  }
  expect(found.trim()).toBe(table);
});

it('no route goes undeclared: the app does not start', async () => {
  const { app } = catalog;
  expect([...routes.found.values()]).not.toContain(undefined);
  class Undeclared extends RouteList {
    override install(added: Parameters<RouteList['install']>[0]): void {
      added.addHook('onReady', async () => {
        added.get('/v1/undeclared', async () => 'anything');
      });
    }
  }
  await app.ready();
  const other = await guardedCatalog({}, undefined, new Undeclared()).then(
    (made) => made.app.ready().then(() => 'started', String),
    String,
  );
  expect(other).not.toBe('started');
});
