import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Catalog } from '../catalog-client/catalog.ts';
import { openEmbeddedCatalog } from '../catalog-client/embedded.ts';
import { RestCatalog } from '../catalog-client/rest-client.ts';
import type { Clock } from '../clock.ts';
import { isDatabaseUrl, type LakeConfig } from '../config.ts';
import { LakeError } from '../errors.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { checkStoresOnce } from './checked-stores.ts';
import { openLakeStore } from './lake-store.ts';

/** An open project: what commands work on. It is a `LakeContext` too. */
export interface Lake {
  readonly config: LakeConfig;
  readonly catalog: Catalog;
  readonly objects: ObjectStore;
  readonly clock: Clock;
  /** Releases the catalog; call it once, also after a failure. */
  close(): Promise<void>;
}

/**
 * Opens the catalog (in this process, or by its REST protocol) and the object store of a project. Two
 * processes may have one project open at once.
 *
 * @throws LakeError `unsupported` for a store that ignores conditional writes (see `checkStoresOnce`), `unavailable` where the catalog's folder cannot be made or the catalog does not answer
 */
export async function openLake(config: LakeConfig, clock: Clock): Promise<Lake> {
  const objects = await openLakeStore(config, clock);
  await checkStoresOnce(config, objects, clock);
  const catalog = await openCatalog(config, clock, objects);
  return { config, catalog, objects, clock, close: () => catalog.close() };
}

async function openCatalog(config: LakeConfig, clock: Clock, objects: ObjectStore): Promise<Catalog> {
  if (config.catalog.kind === 'rest') {
    const { uri, warehouse, token, credential } = config.catalog;
    return new RestCatalog({
      uri,
      ...(warehouse === undefined ? {} : { warehouse }),
      ...(token === undefined ? {} : { token }),
      ...(credential === undefined ? {} : { credential }),
    });
  }
  const { database } = config.catalog;
  try {
    if (!isDatabaseUrl(database)) await mkdir(dirname(database), { recursive: true });
  } catch (cause) {
    throw new LakeError('unavailable', `cannot make the catalog's folder ${dirname(database)}`, {
      where: config.file,
      hint: 'check the path under catalog.embedded and the folder permissions',
      cause,
    });
  }
  const tiers = config.tiers.map(({ name, location }) => ({ name, location }));
  const hottest = config.tiers[0];
  if (hottest === undefined) throw new LakeError('internal', 'a lake without tiers');
  return openEmbeddedCatalog({
    database,
    warehouse: hottest.location,
    tiers,
    roots: [config.warehouse],
    allowedLocations: config.serve.allowedLocations,
    clock,
    objects,
  });
}
