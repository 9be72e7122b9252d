import { randomUUID } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { LoadedTable } from '../../src/catalog-client/catalog.ts';
import { type CatalogUnderTest, embedded, newTable, SCHEMA } from './lake.ts';
import { type Wire, wire } from './wire.ts';

const T = { namespace: ['n'], name: 't' };
const PATH = '/v1/namespaces/n/tables/t';

let under: CatalogUnderTest;
let table: LoadedTable;
let http: Wire;
beforeEach(async () => {
  under = await embedded();
  table = await newTable(under.catalog, T);
  http = await wire(under);
});
afterEach(async () => {
  await http.close();
  await under.dispose();
});

const key = () => ({ 'idempotency-key': randomUUID() });
/** Can be made once. */
const addColumn = {
  requirements: [{ type: 'assert-last-assigned-field-id', 'last-assigned-field-id': 2 }],
  updates: [
    {
      action: 'add-schema',
      schema: {
        ...SCHEMA,
        fields: [...SCHEMA.fields, { id: 3, name: 'x', required: false, type: 'string' }],
      },
    },
  ],
};

function changeDatabase(sql: string, ...values: string[]): void {
  const database = new DatabaseSync(under.database);
  expect(database.prepare(sql).run(...values).changes).toBeGreaterThan(0);
  database.close();
}

it('does not tell a client that its commit was refused which another server applied for it meanwhile', async () => {
  const headers = key();
  // The other server has read the pointer when the first one commits.
  let early = true;
  const objects = new Proxy(under.objects, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function') return member;
      return async (...args: unknown[]) => {
        if (name === 'get' && early) {
          early = false;
          expect((await http.send('POST', PATH, addColumn, headers)).status).toBe(200);
        }
        return member.apply(target, args);
      };
    },
  });
  const other = await wire(under, { objects });
  const told = await other.send('POST', PATH, addColumn, headers);
  expect(early).toBe(false);
  expect(told).toMatchObject({ status: 500, body: { error: { type: 'CommitStateUnknownException' } } });
  expect((await other.send('POST', PATH, addColumn, headers)).status).toBe(200);
  expect((await other.send('POST', PATH, addColumn, key())).status).toBe(409);
  await other.close();
});

it('does not tell a client that its commit was refused when its table has another name since', async () => {
  const headers = key();
  expect((await http.send('POST', PATH, addColumn, headers)).status).toBe(200);
  const forget = 'UPDATE idempotency_keys SET status = NULL, body = NULL WHERE key = ?';
  changeDatabase(forget, headers['idempotency-key']);
  const rename = { source: T, destination: { ...T, name: 'other' } };
  expect((await http.send('POST', '/v1/tables/rename', rename)).status).toBe(204);
  const told = await http.send('POST', PATH, addColumn, headers);
  expect(told).toMatchObject({ status: 500, body: { error: { type: 'CommitStateUnknownException' } } });
});

it('does not answer a refusal that is too long to be kept as a success', async () => {
  const headers = key();
  const wrong = {
    'table-changes': [{ identifier: T, requirements: [], updates: [{ action: 'x'.repeat(100_000) }] }],
  };
  const first = await http.send('POST', '/v1/transactions/commit', wrong, headers);
  expect(first.status).toBe(400);
  expect(JSON.stringify(first.body).length).toBeGreaterThan(64 * 1024);
  expect((await http.send('POST', '/v1/transactions/commit', wrong, headers)).status).toBe(400);
});

it('does not take what an upgrade completes on the way for the change that was asked for', async () => {
  const other = await newTable(under.catalog, { ...T, name: 'other' });
  // As a catalog from before places were kept.
  changeDatabase('DELETE FROM table_places');
  const move = {
    requirements: [{ type: 'assert-table-uuid', uuid: table.metadata['table-uuid'] }],
    updates: [{ action: 'set-location', location: `${other.metadata.location}/inner` }],
  };
  const headers = key();
  expect((await http.send('POST', PATH, move, headers)).status).toBe(400);
  expect((await http.send('POST', PATH, move, headers)).status).toBe(400);
});
