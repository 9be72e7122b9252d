import { mkdtemp, readdir, realpath, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { buildCatalogApp } from '../../catalog/app.ts';
import { openCatalogStore } from '../../catalog/store/open-store.ts';
import { systemClock } from '../../src/clock.ts';
import { parseJson, stringifyJson } from '../../src/iceberg/json.ts';
import { openStore } from '../../src/storage/store.ts';
import type { Dice } from './dice.ts';
import { seedFiles } from './lake-seed.ts';
import { liesInside, type Places, placesIn } from './places.ts';
import { sendRaw } from './raw-socket.ts';
import { recordedStore } from './recorded-store.ts';
import type { FuzzAnswer, FuzzRequest } from './world.ts';

export interface FuzzedCatalog {
  readonly places: Places;
  readonly metadataFiles: readonly string[];
  /** Locations outside the allowed ones that the catalog wrote to or deleted from. */
  readonly escapes: ReadonlySet<string>;
  send(request: FuzzRequest): Promise<FuzzAnswer>;
  /** Null where the server closed without an answer. */
  sendRaw(dice: Dice, request: FuzzRequest): Promise<FuzzAnswer | null>;
  /** Paths below the root that are in no allowed place. */
  strayFiles(): Promise<string[]>;
  close(): Promise<void>;
}

/** A catalog on the local disk, in a folder of its own. */
export async function fuzzedCatalog(dice: Dice): Promise<FuzzedCatalog> {
  const root = await realpath(await mkdtemp(join(tmpdir(), 'lake-fuzz-')));
  const places = placesIn(root);
  const files = openStore();
  const metadataFiles = await seedFiles(files, dice, places);
  const expected = new Set(await filesBelow(root));
  const escapes = new Set<string>();
  const objects = recordedStore(files, (location) => {
    if (!liesInside(places, location)) escapes.add(location);
  });
  const store = await openCatalogStore(join(root, 'catalog.db'), systemClock);
  const [warehouse = '', warm = ''] = places.allowed;
  const app = buildCatalogApp({
    store,
    objects,
    clock: systemClock,
    warehouse,
    tiers: [
      { name: 'hot', location: warehouse },
      { name: 'warm', location: warm },
    ],
    awaitPurges: true,
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = app.server.address() as AddressInfo;
  return {
    places,
    metadataFiles,
    escapes,
    send: (request) => inject(app, request),
    sendRaw: (with_, request) => sendRaw(with_, port, request),
    strayFiles: async () => {
      const allowed = places.allowed.map((one) => `${one.slice('file://'.length)}/`);
      const found = await filesBelow(root);
      return found.filter(
        (path) =>
          !expected.has(path) &&
          !path.startsWith(join(root, 'catalog.db')) &&
          !allowed.some((one) => path.startsWith(one)),
      );
    },
    close: async () => {
      await app.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}

async function filesBelow(root: string): Promise<string[]> {
  const found = await readdir(root, { recursive: true, withFileTypes: true });
  return found.filter((one) => !one.isDirectory()).map((one) => join(one.parentPath, one.name));
}

async function inject(
  app: FastifyInstance,
  { method, url, headers, body, raw }: FuzzRequest,
): Promise<FuzzAnswer> {
  const payload = raw ?? (body === undefined ? undefined : stringifyJson(body));
  const answer = await app.inject({
    method,
    url: url.toWellFormed(),
    headers: { ...(payload === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(payload === undefined ? {} : { payload }),
  });
  const { payload: text } = answer;
  return {
    status: answer.statusCode,
    headers: answer.headers,
    text,
    json: text === '' ? null : parsed(text),
  };
}

/** Undefined for what is no JSON. */
function parsed(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}
