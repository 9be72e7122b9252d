import type { FastifyBaseLogger } from 'fastify';
import type { Clock } from '../../src/clock.ts';
import type { ViewMetadata } from '../../src/iceberg/view-metadata.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import type { Auth } from '../auth/auth.ts';
import type { Serving } from '../operations/serving.ts';
import type { ScanPlanningMode } from '../planning/planning-mode.ts';
import type { ScanPlans } from '../planning/scan-plans.ts';
import type { CatalogStore } from '../store/catalog-store.ts';
import type { Vending } from '../vending/vending.ts';
import type { MetadataFiles } from './metadata-files.ts';
import type { PurgeOutcome } from './purge-outcome.ts';
import type { JoinedCommit } from './table-change.ts';
import type { TablePlaces } from './table-places.ts';
import type { TableTurns } from './table-turns.ts';

/** A storage tier: a location prefix with a name. */
export interface CatalogTier {
  readonly name: string;
  readonly location: string;
}

/** What the routes work with. */
export interface CatalogContext {
  /** Who may do what. */
  readonly auth: Auth;
  readonly store: CatalogStore;
  readonly objects: ObjectStore;
  readonly files: MetadataFiles;
  readonly viewFiles: MetadataFiles<ViewMetadata>;
  /** Which folders are whose. */
  readonly places: TablePlaces;
  /** Whose turn it is to commit to a table. */
  readonly turns: TableTurns<JoinedCommit>;
  readonly vending: Vending;
  readonly purges: { run(): Promise<readonly PurgeOutcome[]> };
  /** Goes on with the purges that wait; their outcome goes to the log. */
  readonly startPurges: (log: FastifyBaseLogger) => Promise<void>;
  /** What `/v1/config` lists; complete once all routes are there. */
  readonly endpoints: readonly string[];
  readonly clock: Clock;
  readonly scanPlans: ScanPlans;
  /** Parts the levels of a namespace in paths, as text. */
  readonly namespaceSeparator: string;
  /** What clients are told of who plans scans; they choose if absent. */
  readonly scanPlanningMode?: ScanPlanningMode;
  /** Location below which new tables are born: the hottest tier's. */
  readonly warehouse: string;
  readonly tiers: readonly CatalogTier[];
  /** What a server has around the routes; absent inside of another process. */
  readonly serving?: Serving;
}
