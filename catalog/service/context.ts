import type { FastifyBaseLogger } from 'fastify';
import type { Clock } from '../../src/clock.ts';
import type { ViewMetadata } from '../../src/iceberg/view-metadata.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import type { CatalogStore } from '../store/catalog-store.ts';
import type { MetadataFiles } from './metadata-files.ts';
import type { PurgeOutcome } from './purge-outcome.ts';

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
  readonly viewFiles: MetadataFiles<ViewMetadata>;
  readonly purges: { run(): Promise<readonly PurgeOutcome[]> };
  /** Goes on with the purges that wait; their outcome goes to the log. */
  readonly startPurges: (log: FastifyBaseLogger) => Promise<void>;
  /** What `/v1/config` lists; complete once all routes are there. */
  readonly endpoints: readonly string[];
  readonly clock: Clock;
  /** Location below which new tables are born: the hottest tier's. */
  readonly warehouse: string;
  readonly tiers: readonly CatalogTier[];
}
