import type { Clock } from '../clock.ts';
import type { LakeConfig } from '../config.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { S3Settings } from '../storage/s3-settings.ts';
import { openStore } from '../storage/store.ts';
import { isS3 } from './storage-config.ts';

/** The parts of lake.yaml that say where objects lie. */
export type StoredLake = Pick<LakeConfig, 'storage' | 'tiers' | 'warehouse'>;

/**
 * The store over all locations of a lake. Tiers with the same server and credentials share one store, so that copies between
 * them are made by the server; between others they are streamed. The S3 client is loaded only by lakes with an `s3://` location.
 */
export async function openLakeStore(config: StoredLake, clock: Clock): Promise<ObjectStore> {
  const tiers = config.tiers.filter((tier) => isS3(tier.location));
  if (tiers.length === 0 && !isS3(config.warehouse)) return openStore();
  const { S3Store } = await import('../storage/s3.ts');
  const opened = new Map<string, ObjectStore>();
  const storeOf = (settings: S3Settings): ObjectStore => {
    const key = JSON.stringify(Object.entries(settings).sort());
    const store = opened.get(key) ?? new S3Store({ settings, clock });
    opened.set(key, store);
    return store;
  };
  const own = storeOf(config.storage);
  return openStore({
    stores: { s3: own, s3a: own, s3n: own },
    prefixes: tiers.map((tier) => ({
      prefix: tier.location,
      store: tier.storage === undefined ? own : storeOf(tier.storage),
    })),
  });
}

/** The S3 servers of a lake, and which locations each holds; `prefix` is null for all that no tier of its own has. None for a lake without S3. */
export function s3ServersOf(
  config: StoredLake,
): readonly { readonly prefix: string | null; readonly settings: S3Settings }[] {
  const tiers = config.tiers.filter((tier) => isS3(tier.location));
  if (tiers.length === 0 && !isS3(config.warehouse)) return [];
  const own = tiers.flatMap(({ location, storage }) =>
    storage === undefined ? [] : [{ prefix: location, settings: storage }],
  );
  return [...own, { prefix: null, settings: config.storage }];
}
