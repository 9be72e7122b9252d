import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { buildCatalogApp } from '../../catalog/app.ts';
import { openCatalogStore } from '../../catalog/store/open-store.ts';
import { RestCatalog } from '../../src/catalog-client/rest-client.ts';
import { systemClock } from '../../src/clock.ts';
import { openStore } from '../../src/storage/store.ts';
import { SCHEMA } from './lake.ts';

/** A catalog that parts levels by `separator`, and the paths that are asked of it. */
async function parted(
  separator: string,
  use: (catalog: RestCatalog, paths: readonly string[], uri: string) => Promise<void>,
) {
  const folder = await mkdtemp(join(tmpdir(), 'lake-separator-'));
  const app = buildCatalogApp({
    store: await openCatalogStore(join(folder, 'catalog.db'), systemClock),
    objects: openStore(),
    clock: systemClock,
    warehouse: `file://${folder}/hot`,
    namespaceSeparator: separator,
    scanPlanningMode: 'server',
  });
  const paths: string[] = [];
  app.addHook('onRequest', async ({ url }) => {
    paths.push(url);
  });
  try {
    const uri = await app.listen({ port: 0, host: '127.0.0.1' });
    await use(new RestCatalog({ uri }), paths, uri);
  } finally {
    await app.close();
    await rm(folder, { recursive: true, force: true });
  }
}

it.each(['.', '~', '::'])('is what the config says: %s, and U+001F beside it', async (separator) => {
  await parted(separator, async (catalog, paths, uri) => {
    const namespace = ['a', 'b', 'c d'];
    await catalog.createNamespace(namespace);
    await catalog.createTable(namespace, { name: 't', schema: SCHEMA });
    expect(await catalog.listNamespaces(['a', 'b'])).toEqual([namespace]);
    expect(await catalog.listTables(namespace)).toEqual([{ namespace, name: 't' }]);
    expect(await catalog.tableExists({ namespace, name: 't' })).toBe(true);
    const parts = encodeURIComponent(separator);
    expect(paths.filter((path) => path.includes('%1F'))).toEqual([]);
    expect(paths.at(-1)).toBe(`/v1/namespaces/a${parts}b${parts}c%20d/tables/t`);
    // Of older clients, which do not read it.
    expect((await fetch(`${uri}/v1/namespaces/a%1Fb%1Fc%20d/tables/t`)).status).toBe(200);
    const config = await (await fetch(`${uri}/v1/config`)).json();
    expect(config).toMatchObject({
      overrides: { 'namespace-separator': parts },
      defaults: { 'scan-planning-mode': 'server' },
    });
  });
});

it('is in no level: nobody could name the namespace', async () => {
  await parted('.', async (catalog) => {
    await expect(catalog.createNamespace(['a.b'])).rejects.toMatchObject({ kind: 'invalid-argument' });
    expect(await catalog.listNamespaces()).toEqual([]);
  });
});

it('keeps U+001F where a name holds the separator', async () => {
  await parted('.', async (catalog, paths) => {
    await catalog.createNamespace(['a', 'b']);
    await catalog.createTable(['a', 'b'], { name: 't.1', schema: SCHEMA });
    expect(await catalog.tableExists({ namespace: ['a', 'b'], name: 't.1' })).toBe(true);
    expect(paths.at(-1)).toBe('/v1/namespaces/a%1Fb/tables/t.1');
  });
});
