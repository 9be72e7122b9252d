import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type CatalogServer, startCatalogServer } from '../../catalog/server.ts';
import { systemClock } from '../../src/clock.ts';
import { loadLake } from '../../src/config.ts';
import { lake as lakeIn } from '../cli/recorded-terminal.ts';

let folder: string;
let server: CatalogServer | undefined;

const lake = (project: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  lakeIn(join(folder, project), args, { env });

async function json(project: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const ran = await lake(project, [...args, '-o', 'json'], env);
  expect([ran.stderr, ran.code]).toEqual([expect.any(String), 0]);
  return JSON.parse(ran.stdout);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lake-access-'));
  for (const project of ['own', 'remote']) await mkdir(join(folder, project));
  const head = 'version: 1\nname: lake\nwarehouse: ../warehouse\n';
  const auth = '  serve:\n    auth: { token_lifetime: PT10M, audit_keep: 30d }\n';
  await writeFile(join(folder, 'own', 'lake.yaml'), `${head}catalog:\n  embedded: ./catalog.db\n${auth}`);
  const config = await loadLake(join(folder, 'own'), {});
  server = await startCatalogServer({
    database: join(folder, 'own', 'catalog.db'),
    warehouse: config.tiers[0]?.location ?? '',
    host: '127.0.0.1',
    port: 0,
    clock: systemClock,
    ...(config.serve.auth === undefined ? {} : { auth: config.serve.auth }),
  });
  await writeFile(
    join(folder, 'remote', 'lake.yaml'),
    `${head}catalog: { uri: "${server.address}", credential: "\${LAKE_CREDENTIAL}" }\n`,
  );
}, 60_000);
afterAll(async () => {
  await server?.close();
  await rm(folder, { recursive: true, force: true });
});

it('makes the first account where the database is, and the others from anywhere', async () => {
  const admin = await json('own', ['catalog', 'principal', 'create', 'admin', '--admin']);
  const asAdmin = { LAKE_CREDENTIAL: String(admin.credential) };
  const etl = await json('remote', ['catalog', 'principal', 'create', 'etl'], asAdmin);
  expect(etl).toMatchObject({
    name: 'etl',
    client_id: 'etl',
    client_secret: expect.stringMatching(/^lake_/),
  });
  const asEtl = { LAKE_CREDENTIAL: String(etl.credential) };

  const refused = await lake('remote', ['catalog', 'principal', 'list'], asEtl);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('needs manage on the catalog');
  expect(refused.stderr).not.toContain(etl.client_secret);

  await json('remote', ['catalog', 'role', 'create', 'keepers'], asAdmin);
  await json('remote', ['catalog', 'role', 'add', 'keepers', '--principal', 'etl'], asAdmin);
  await json('remote', ['catalog', 'role', 'add', 'keepers', '--claim', 'data-keepers'], asAdmin);
  expect(await json('remote', ['catalog', 'role', 'list'], asAdmin)).toEqual([
    {
      role: 'keepers',
      members: [
        { kind: 'claim', name: 'data-keepers' },
        { kind: 'principal', name: 'etl' },
      ],
    },
  ]);
  const text = await lake(
    'remote',
    ['catalog', 'grant', 'add', 'manage', '--role', 'keepers', '--catalog'],
    asAdmin,
  );
  expect(text.stdout).toBe('manage on the catalog is granted: role keepers.\n');
  expect(await json('remote', ['catalog', 'grant', 'list', '--role', 'keepers'], asEtl)).toMatchObject([
    { grantee: { kind: 'role', name: 'keepers' }, privilege: 'manage', on: { kind: 'catalog' }, by: 'admin' },
  ]);
  await json('remote', ['catalog', 'grant', 'remove', 'manage', '--role', 'keepers', '--catalog'], asAdmin);
  expect((await lake('remote', ['catalog', 'grant', 'list'], asEtl)).code).toBe(1);

  await json('remote', ['catalog', 'principal', 'disable', 'etl'], asAdmin);
  const off = await lake('remote', ['table', 'list'], asEtl);
  expect(off.stderr).toContain('does not take the credential');
  expect(off.stderr).not.toContain(etl.client_secret);
  await json('remote', ['catalog', 'principal', 'enable', 'etl'], asAdmin);
  expect((await lake('remote', ['table', 'list'], asEtl)).code).toBe(0);
  const rotated = await json('remote', ['catalog', 'principal', 'rotate', 'etl', '--overlap', '0'], asAdmin);
  expect(rotated.client_secret).not.toBe(etl.client_secret);
  expect((await lake('remote', ['table', 'list'], asEtl)).code).toBe(1);
  expect(await json('own', ['catalog', 'principal', 'list'])).toMatchObject([
    { name: 'admin', state: 'enabled' },
    { name: 'etl', state: 'enabled' },
  ]);
  await json('remote', ['catalog', 'role', 'remove', 'keepers', '--principal', 'etl'], asAdmin);
  await json('remote', ['catalog', 'role', 'delete', 'keepers', '--yes'], asAdmin);
  await json('remote', ['catalog', 'principal', 'delete', 'etl', '--yes'], asAdmin);
  await json('remote', ['catalog', 'principal', 'revoke-tokens', '--yes'], asAdmin);
}, 120_000);

it.each([
  [['catalog', 'grant', 'add', 'read', '--role', 'x'], 'on what'],
  [['catalog', 'grant', 'add', 'read', '--catalog'], 'who'],
  [['catalog', 'grant', 'add', 'read', '--role', 'x', '--principal', 'y', '--catalog'], 'not both'],
  [['catalog', 'grant', 'add', 'read', '--role', 'x', '--catalog', '--table', 'a.b'], 'one of'],
  [['catalog', 'grant', 'add', 'own', '--role', 'x', '--catalog'], 'read, write'],
  [['catalog', 'role', 'add', 'x'], 'one of --principal'],
  [['catalog', 'principal', 'rotate', 'x', '--overlap', 'soon'], 'duration'],
])('%j is wrong usage', async (args, message) => {
  const { code, stderr } = await lake('own', args);
  expect(code).toBe(2);
  expect(stderr).toContain(message);
});

it('says what is off in lake.yaml', async () => {
  const project = join(folder, 'bad');
  await mkdir(project);
  const refused = async (catalog: string, message: string) => {
    await writeFile(
      join(project, 'lake.yaml'),
      `version: 1\nname: lake\nwarehouse: ./w\ncatalog: ${catalog}\n`,
    );
    await expect(loadLake(project, {})).rejects.toThrow(message);
  };
  await refused('{ uri: "http://c", credential: "nocolon" }', 'CLIENT_ID:SECRET');
  await refused('{ uri: "http://c", credential: "a:b", token: "t" }', 'either a token or a credential');
  const oidc = (issuer: string) =>
    `{ embedded: ./c.db, serve: { auth: { oidc: { issuer: "${issuer}", audience: lake } } } }`;
  await refused(oidc('http://login.example.org'), 'https');
  await refused(oidc('login'), 'an address');
  await refused('{ embedded: ./c.db, serve: { auth: { token_lifetime: soon } } }', 'duration');
});
