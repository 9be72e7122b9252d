import { join } from 'node:path';
import { type DuckDbEngine, openDuckDb } from '../engine/duckdb.ts';
import type { Lake } from './open-lake.ts';
import { isS3 } from './storage-config.ts';

/** An SQL engine with the project's limits that reads and writes all of its tiers. Close it. Errors: `unavailable`. */
export function openLakeEngine({ config, objects }: Pick<Lake, 'config' | 'objects'>): Promise<DuckDbEngine> {
  return openDuckDb({
    ...config.engine,
    objects,
    tempDirectory: join(config.root, '.lake', 'tmp'),
    s3: config.tiers
      .filter((tier) => isS3(tier.location))
      .map((tier) => ({ prefix: tier.location, settings: tier.storage ?? config.storage })),
  });
}
