import type { Clock } from '../../src/clock.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import type { CatalogStore } from '../store/catalog-store.ts';
import type { MetadataFiles } from './metadata-files.ts';

/** A storage tier: a location prefix with a name. */
export interface CatalogTier {
  readonly name: string;
  readonly location: string;
}

/** What the routes work with. */
export interface CatalogContext {
  readonly store: CatalogStore;
  readonly objects: ObjectStore;
  readonly files: MetadataFiles;
  readonly clock: Clock;
  /** Location below which new tables are born: the hottest tier's. */
  readonly warehouse: string;
  readonly tiers: readonly CatalogTier[];
}
