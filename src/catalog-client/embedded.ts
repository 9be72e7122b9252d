import { buildCatalogApp } from '../../catalog/app.ts';
import type { CatalogTier } from '../../catalog/service/context.ts';
import { openCatalogStore } from '../../catalog/store/open-store.ts';
import type { Clock } from '../clock.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { openStore } from '../storage/store.ts';
import type { Catalog } from './catalog.ts';
import { RestCatalog } from './rest-client.ts';

export interface EmbeddedCatalogOptions {
  /** Path of the SQLite file; its folder has to be there. */
  readonly database: string;
  /** Location below which new tables are born. */
  readonly warehouse: string;
  readonly tiers?: readonly CatalogTier[];
  /** What tables lie below besides. */
  readonly roots?: readonly string[];
  /** Further prefixes that tables may be given or registered at. */
  readonly allowedLocations?: readonly string[];
  readonly clock: Clock;
  readonly objects?: ObjectStore;
}

/**
 * The catalog service inside this process: the same protocol as over HTTP, without a socket. Several processes may have the same
 * file open. Errors: those of `openCatalogStore`.
 */
export async function openEmbeddedCatalog(options: EmbeddedCatalogOptions): Promise<Catalog> {
  const { database, warehouse, tiers, roots, allowedLocations, clock, objects = openStore() } = options;
  const store = await openCatalogStore(database, clock);
  const app = buildCatalogApp({
    store,
    objects,
    clock,
    warehouse,
    awaitPurges: true,
    ...(tiers === undefined ? {} : { tiers }),
    ...(roots === undefined ? {} : { roots }),
    ...(allowedLocations === undefined ? {} : { allowedLocations }),
  });
  const inject = async (url: string, init: RequestInit): Promise<Response> => {
    const answer = await app.inject({
      method:
        init.method === 'HEAD'
          ? 'HEAD'
          : init.method === 'POST'
            ? 'POST'
            : init.method === 'DELETE'
              ? 'DELETE'
              : 'GET',
      url,
      headers: Object.fromEntries(new Headers(init.headers)),
      ...(typeof init.body === 'string' ? { payload: init.body } : {}),
    });
    const hasBody = answer.statusCode !== 204 && answer.statusCode !== 304;
    return new Response(hasBody ? answer.payload : null, { status: answer.statusCode });
  };
  return new RestCatalog({ uri: 'http://embedded', fetch: inject, onClose: () => app.close() });
}
