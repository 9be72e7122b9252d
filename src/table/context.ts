import type { Catalog } from '../catalog-client/catalog.ts';
import type { Clock } from '../clock.ts';
import type { ObjectStore } from '../storage/object-store.ts';

/** What every operation on tables needs from the outside. */
export interface LakeContext {
  readonly catalog: Catalog;
  readonly objects: ObjectStore;
  readonly clock: Clock;
}
