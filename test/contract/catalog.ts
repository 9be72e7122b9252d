import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TableIdentifier } from '../../src/catalog-client/catalog.ts';
import { listEveryTable } from '../../src/catalog-client/listed-table.ts';
import { allTables } from '../../src/tiering/all-tables.ts';
import {
  type CatalogUnderTest,
  commitSnapshot,
  fileAt,
  newTable,
  SCHEMA,
  stageSnapshot,
} from '../catalog/lake.ts';

const T = { namespace: ['a', 'b'], name: 't' };
const properties = (updates: Record<string, string>) => [{ action: 'set-properties', updates }] as const;

/** What a catalog keeps, however it is reached. */
export function catalogContract(name: string, open: () => Promise<CatalogUnderTest>): void {
  describe(`catalog contract: ${name}`, () => {
    let under: CatalogUnderTest;
    beforeEach(async () => {
      under = await open();
    });
    afterEach(() => under.dispose());

    it('keeps nested namespaces with their properties', async () => {
      const { catalog } = under;
      await catalog.createNamespace(['a', 'b c+d%/é'], { owner: 'x' });
      expect(await catalog.listNamespaces()).toEqual([['a']]);
      expect(await catalog.listNamespaces(['a'])).toEqual([['a', 'b c+d%/é']]);
      expect(await catalog.loadNamespace(['a', 'b c+d%/é'])).toEqual({
        location: expect.stringMatching(/\/hot\/a\/b_c_d__é$/),
        owner: 'x',
      });
      await catalog.updateNamespace(['a'], {
        updates: { k: '1', location: 'file:///x' },
        removals: ['gone'],
      });
      expect(await catalog.loadNamespace(['a'])).toEqual({ k: '1', location: 'file:///x' });
      await expect(catalog.createNamespace(['a'])).rejects.toMatchObject({ kind: 'already-exists' });
      await expect(catalog.dropNamespace(['a'])).rejects.toMatchObject({ kind: 'not-empty' });
      await catalog.dropNamespace(['a', 'b c+d%/é']);
      await catalog.dropNamespace(['a']);
      expect(await catalog.namespaceExists(['a'])).toBe(false);
      await expect(catalog.loadNamespace(['a'])).rejects.toMatchObject({ kind: 'not-found' });
    });

    it('creates, loads, lists and drops tables', async () => {
      const { catalog, objects } = under;
      const created = await newTable(catalog, T);
      expect(created.metadata.location).toMatch(/\/hot\/a\/b\/t-[0-9a-f-]{36}$/);
      expect(await objects.exists(created.metadataLocation ?? '')).toBe(true);
      expect(await catalog.loadTable(T)).toEqual(created);
      expect(await catalog.listTables(['a', 'b'])).toEqual([T]);
      await expect(newTable(catalog, T)).rejects.toMatchObject({ kind: 'already-exists' });
      await catalog.dropTable(T);
      expect(await catalog.tableExists(T)).toBe(false);
      await expect(catalog.loadTable(T)).rejects.toMatchObject({ kind: 'not-found' });
      await expect(catalog.createTable(['none'], { name: 't', schema: SCHEMA })).rejects.toMatchObject({
        kind: 'not-found',
      });
    });

    it('takes names with slashes, dots and whatever else a path escapes', async () => {
      const { catalog } = under;
      for (const name of ['a/b', 'a.b', 'x y+z%2F?#é', 'q\'"u']) {
        const identifier = { namespace: ['n/m', 'o.p'], name };
        const { metadata } = await newTable(catalog, identifier);
        expect((await catalog.loadTable(identifier)).metadata).toEqual(metadata);
        await catalog.dropTable(identifier);
        expect(await catalog.tableExists(identifier)).toBe(false);
      }
    });

    it('stages a create and commits it once', async () => {
      const { catalog } = under;
      await catalog.createNamespace(T.namespace);
      const staged = await catalog.createTable(T.namespace, {
        name: 't',
        schema: SCHEMA,
        'stage-create': true,
      });
      expect(await catalog.tableExists(T)).toBe(false);
      const { metadata } = staged;
      const commit = {
        identifier: T,
        requirements: [{ type: 'assert-create' }],
        updates: [
          { action: 'assign-uuid', uuid: metadata['table-uuid'] },
          { action: 'upgrade-format-version', 'format-version': 2 },
          { action: 'add-schema', schema: metadata.schemas[0] ?? SCHEMA, 'last-column-id': 2 },
          { action: 'set-current-schema', 'schema-id': -1 },
          { action: 'add-spec', spec: { 'spec-id': 0, fields: [] } },
          { action: 'set-default-spec', 'spec-id': -1 },
          { action: 'add-sort-order', 'sort-order': { 'order-id': 0, fields: [] } },
          { action: 'set-default-sort-order', 'sort-order-id': -1 },
          { action: 'set-location', location: metadata.location },
        ],
      } as const;
      const created = await catalog.commitTable(commit);
      expect(created.metadata['table-uuid']).toBe(metadata['table-uuid']);
      await expect(catalog.commitTable(commit)).rejects.toMatchObject({ kind: 'conflict' });
    });

    it('commits a snapshot with a 64-bit id, and lets one of several racing writers win', async () => {
      const { catalog, objects } = under;
      const table = await newTable(catalog, T);
      const ids = [9223372036854775807n, 9007199254740993n, 3n];
      const writers = await Promise.all(
        ids.map(async (id) => ({
          client: await under.another(),
          snapshot: await stageSnapshot(objects, table, [fileAt(`file:///x/${id}`)], id),
        })),
      );
      const outcomes = await Promise.allSettled(
        writers.map(({ client, snapshot }) => commitSnapshot(client, table, snapshot)),
      );
      const won = ids.filter((_, at) => outcomes[at]?.status === 'fulfilled');
      expect(won).toHaveLength(1);
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ kind: 'conflict' });
      }
      const { metadata } = await catalog.loadTable(T);
      expect(metadata['current-snapshot-id']).toBe(won[0]);
      expect(metadata.snapshots).toHaveLength(1);
    });

    it('applies racing commits that do not contradict each other, all of them', async () => {
      const { catalog } = under;
      await newTable(catalog, T);
      const clients = await Promise.all([1, 2, 3].map(() => under.another()));
      await Promise.all(
        clients.map((client, at) =>
          client.commitTable({
            identifier: T,
            requirements: [],
            updates: [...properties({ [`k${at}`]: '1' })],
          }),
        ),
      );
      const { metadata } = await catalog.loadTable(T);
      expect(metadata.properties).toMatchObject({ k0: '1', k1: '1', k2: '1' });
      // Those that wait at the same server at the same time may be made as one.
      expect(metadata['metadata-log'].length).toBeLessThanOrEqual(3);
    });

    it('commits several tables all or none', async () => {
      const { catalog } = under;
      const other = { ...T, name: 'u' };
      const [t, u] = [await newTable(catalog, T), await newTable(catalog, other)];
      const commits = (uuid: string) => [
        { identifier: T, requirements: [], updates: [...properties({ a: '1' })] },
        {
          identifier: other,
          requirements: [{ type: 'assert-table-uuid', uuid } as const],
          updates: [...properties({ a: '1' })],
        },
      ];
      await expect(catalog.commitTransaction(commits(t.metadata['table-uuid']))).rejects.toMatchObject({
        kind: 'conflict',
      });
      expect((await catalog.loadTable(T)).metadataLocation).toBe(t.metadataLocation);
      await catalog.commitTransaction(commits(u.metadata['table-uuid']));
      for (const identifier of [T, other]) {
        expect((await catalog.loadTable(identifier)).metadata.properties).toMatchObject({ a: '1' });
      }
    });

    it('renames tables, also into another namespace, and never over one that is there', async () => {
      const { catalog } = under;
      const [t, other] = [
        await newTable(catalog, T),
        await newTable(catalog, { namespace: ['c'], name: 'u' }),
      ];
      const rename = (source: TableIdentifier, destination: TableIdentifier) =>
        catalog.extension('POST', '/v1/tables/rename', { source, destination });
      await expect(rename(T, other.identifier)).rejects.toMatchObject({ kind: 'already-exists' });
      await expect(rename(T, { namespace: ['none'], name: 't' })).rejects.toMatchObject({
        kind: 'not-found',
      });
      await expect(rename({ ...T, name: 'x' }, { ...T, name: 'y' })).rejects.toMatchObject({
        kind: 'not-found',
      });
      const renamed = { namespace: ['c'], name: 't' };
      await rename(T, renamed);
      expect(await catalog.tableExists(T)).toBe(false);
      const found = await catalog.loadTable(renamed);
      expect(found).toEqual({ ...t, identifier: renamed });
      const commit = { identifier: renamed, requirements: [], updates: [...properties({ a: '1' })] };
      expect((await catalog.commitTable(commit)).metadata.properties).toMatchObject({ a: '1' });
    });

    it('lists every table by its uuid as they were at one moment', async () => {
      const { catalog } = under;
      expect(await listEveryTable(catalog)).toEqual([]);
      const made = [await newTable(catalog, T), await newTable(catalog, { namespace: ['c'], name: 'u' })];
      const listed = made.map(({ identifier, metadata, metadataLocation }) => ({
        ...identifier,
        'table-uuid': metadata['table-uuid'],
        'metadata-location': metadataLocation,
      }));
      const byUuid = (rows: readonly { readonly 'table-uuid': string }[]) =>
        [...rows].sort((a, b) => (a['table-uuid'] < b['table-uuid'] ? -1 : 1));
      expect(byUuid(await listEveryTable(catalog))).toEqual(byUuid(listed));
    });

    it('finds tables that exchange their names while they are read', async () => {
      const { catalog } = under;
      const other = { ...T, name: 'u' };
      const made = [await newTable(catalog, T), await newTable(catalog, other)];
      const rename = (source: TableIdentifier, destination: TableIdentifier) =>
        catalog.extension('POST', '/v1/tables/rename', { source, destination });
      const found: string[] = [];
      for await (const table of allTables(catalog)) {
        found.push(table.metadata['table-uuid']);
        if (found.length > 1) continue;
        const spare = { ...T, name: 'spare' };
        await rename(T, spare);
        await rename(other, T);
        await rename(spare, other);
      }
      expect(found.sort()).toEqual(made.map((table) => table.metadata['table-uuid']).sort());
    });
  });
}
