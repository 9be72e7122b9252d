import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { buildCatalogApp } from '../../catalog/app.ts';
import { LocationRules } from '../../catalog/service/location-rules.ts';
import { MetadataFiles, TABLE_CODEC, VIEW_CODEC } from '../../catalog/service/metadata-files.ts';
import { TablePlaces } from '../../catalog/service/table-places.ts';
import { openCatalogStore } from '../../catalog/store/open-store.ts';
import { Vending } from '../../catalog/vending/vending.ts';
import { systemClock } from '../../src/clock.ts';
import { parseJson } from '../../src/iceberg/json.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { S3Store } from '../../src/storage/s3.ts';
import type { S3Settings } from '../../src/storage/s3-settings.ts';
import { openStore } from '../../src/storage/store.ts';
import type { S3Server } from './s3-server.ts';

const SCHEMA = {
  type: 'struct',
  'schema-id': 0,
  fields: [{ id: 1, name: 'id', required: true, type: 'long' }],
};

/** A catalog in this process whose tables lie on an S3 server, hot in one bucket and cold in another. */
export interface VendingLake {
  readonly app: FastifyInstance;
  readonly objects: ObjectStore;
  /** For rights that the local operator does not lack. */
  readonly vending: Vending;
  /** The answer's status and body, parsed. */
  // biome-ignore lint/suspicious/noExplicitAny: what a server answers is asserted on, member by member
  send(method: 'GET' | 'POST', path: string, body?: object, headers?: Record<string, string>): Promise<any>;
  /** Creates a table; its location. */
  create(name: string, location?: string): Promise<string>;
  close(): Promise<void>;
}

export const HOT = 's3://lake/ware house/hot';
export const COLD = 's3://archive/cold+1';

export async function openVendingLake(server: S3Server, over: Partial<S3Settings>): Promise<VendingLake> {
  const folder = await mkdtemp(join(tmpdir(), 'lake-vending-'));
  for (const bucket of ['lake', 'archive']) await server.makeBucket(bucket);
  const settings = { ...server.settings, ...over };
  const s3 = new S3Store({ settings, clock: systemClock });
  const objects = openStore({ stores: { s3, s3a: s3 } });
  const clock = systemClock;
  const store = await openCatalogStore(join(folder, 'catalog.db'), clock);
  const tiers = [
    { name: 'hot', location: HOT },
    { name: 'cold', location: COLD },
  ];
  const options = { servers: [{ prefix: null, settings }], durationSeconds: 900, signs: true };
  const app = buildCatalogApp({ store, objects, clock, warehouse: HOT, tiers, vending: options });
  const places = new TablePlaces(
    {
      store,
      files: new MetadataFiles(objects, clock, TABLE_CODEC),
      viewFiles: new MetadataFiles(objects, clock, VIEW_CODEC),
    },
    new LocationRules([HOT, COLD], []),
  );
  const vending = new Vending({ clock, places, tiers }, options);
  const send: VendingLake['send'] = async (method, path, body, headers = {}) => {
    const answer = await app.inject({
      method,
      url: path,
      headers,
      ...(body === undefined ? {} : { payload: body }),
    });
    return {
      status: answer.statusCode,
      headers: answer.headers,
      body: answer.payload === '' ? null : parseJson(answer.payload),
    };
  };
  const made = await send('POST', '/v1/namespaces', { namespace: ['n'] });
  if (made.status !== 200) throw new Error(JSON.stringify(made.body));
  return {
    app,
    objects,
    vending,
    send,
    create: async (name, location) => {
      const table = { name, schema: SCHEMA, ...(location === undefined ? {} : { location }) };
      const { status, body } = await send('POST', '/v1/namespaces/n/tables', table);
      if (status !== 200) throw new Error(body.error.message);
      return body.metadata.location;
    },
    close: async () => {
      await app.close();
      s3.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
