import { type AddressInfo, connect } from 'node:net';
import { expect, it } from 'vitest';
import { buildCatalogApp } from '../../catalog/app.ts';
import { openCatalogStore } from '../../catalog/store/open-store.ts';
import { systemClock } from '../../src/clock.ts';
import { recordedStore } from '../fuzz/recorded-store.ts';
import { embedded, newTable } from './lake.ts';

const KEY = '01900000-0000-7000-8000-000000000001';
const commit = JSON.stringify({ updates: [{ action: 'set-properties', updates: { k: 'v' } }] });

it('answers a request again under its key whose client went away while it was worked on, and makes the change once', async () => {
  const under = await embedded();
  const writing = Promise.withResolvers<void>();
  const mayWrite = Promise.withResolvers<void>();
  let isHeld = false;
  let writes = 0;
  const files = recordedStore(under.objects, () => {});
  const objects = {
    ...files,
    put: async (...args: Parameters<typeof files.put>) => {
      writes += 1;
      writing.resolve();
      if (isHeld) await mayWrite.promise;
      return files.put(...args);
    },
  };
  const app = buildCatalogApp({
    store: await openCatalogStore(under.database, systemClock),
    objects,
    clock: systemClock,
    warehouse: `file://${under.folder}/hot`,
  });
  try {
    const table = await newTable(under.catalog, { namespace: ['n'], name: 't' });
    await app.listen({ port: 0, host: '127.0.0.1' });
    isHeld = true;
    const headers = { 'content-type': 'application/json', 'idempotency-key': KEY };
    const url = '/v1/namespaces/n/tables/t';
    const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(
      `POST ${url} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nidempotency-key: ${KEY}\r\ncontent-length: ${commit.length}\r\n\r\n${commit}`,
    );
    await writing.promise;
    const gone = new Promise((resolve) => socket.on('close', resolve));
    socket.resetAndDestroy();
    await gone;
    const again = app.inject({ method: 'POST', url, headers, payload: commit });
    mayWrite.resolve();
    const answer = await again;
    expect(answer.statusCode).toBe(200);
    expect(answer.json().metadata.properties).toMatchObject({ k: 'v' });
    expect(writes).toBe(1);
    expect(answer.json().metadata['metadata-log']).toHaveLength(table.metadata['metadata-log'].length + 1);
    // The key is free again, for whoever asks.
    expect((await app.inject({ method: 'POST', url, headers, payload: commit })).statusCode).toBe(200);
  } finally {
    await app.close();
    await under.dispose();
  }
});
