import type { FastifyBaseLogger } from 'fastify';
import type { Clock } from '../src/clock.ts';
import { LakeError } from '../src/errors.ts';
import type { ObjectStore } from '../src/storage/object-store.ts';
import { openStore } from '../src/storage/store.ts';
import { buildCatalogApp } from './app.ts';
import type { CatalogTier } from './service/context.ts';
import { SqliteStore } from './store/sqlite.ts';

export interface CatalogServerOptions {
  /** Path of the SQLite file. */
  readonly database: string;
  readonly warehouse: string;
  readonly tiers?: readonly CatalogTier[];
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly clock: Clock;
  /** Where the tables' metadata lies; default: the local disk. */
  readonly objects?: ObjectStore;
  readonly logger?: FastifyBaseLogger;
}

export interface CatalogServer {
  /** `http://host:port` */
  readonly address: string;
  close(): Promise<void>;
}

/** Serves the catalog over HTTP. Errors: `usage` for a host or port that cannot be listened on, those of `SqliteStore.open`. */
export async function startCatalogServer(options: CatalogServerOptions): Promise<CatalogServer> {
  const { database, warehouse, tiers, host, port, clock, logger, objects = openStore() } = options;
  const store = await SqliteStore.open(database, clock);
  const app = buildCatalogApp({
    store,
    objects,
    clock,
    warehouse,
    ...(tiers === undefined ? {} : { tiers }),
    ...(logger === undefined ? {} : { logger }),
  });
  try {
    const address = await app.listen({ host, port });
    return { address, close: () => app.close() };
  } catch (error) {
    await app.close();
    const reason = error instanceof Error ? error.message : String(error);
    throw new LakeError('usage', `The catalog cannot listen on ${host}:${port}: ${reason}`, {
      hint: 'Choose another --host or --port (0 takes a free one).',
      cause: error,
    });
  }
}
