import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock } from '../clock.ts';
import type { LakeConfig } from '../config.ts';
import { isKind } from '../errors.ts';
import { checkConditionalWrites } from '../storage/conditional-writes.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { parseS3 } from '../storage/s3-location.ts';
import { isS3 } from './storage-config.ts';

/** Below the project's folder: the buckets of which it is known that they heed If-None-Match, one a line. */
const KNOWN_FILE = join('.lake', 'checked-stores');

/**
 * Tries, the first time that a project meets a bucket, that the server heeds If-None-Match, on which every commit rests; what was found good is remembered in the project. A
 * bucket that cannot be reached or written to now is tried again the next time: what needs it fails by itself.
 *
 * @throws LakeError `unsupported` for a server that ignores it: nothing was written
 */
export async function checkStoresOnce(
  config: Pick<LakeConfig, 'root' | 'storage' | 'tiers' | 'warehouse'>,
  objects: ObjectStore,
  clock: Clock,
): Promise<void> {
  const tiers = config.tiers.map(({ location, storage }) => ({ location, storage }));
  const places = [...tiers, { location: config.warehouse, storage: undefined }].filter(({ location }) =>
    isS3(location),
  );
  if (places.length === 0) return;
  const file = join(config.root, KNOWN_FILE);
  const known = await knownIn(file);
  const before = known.size;
  for (const { location, storage } of places) {
    const key = `${(storage ?? config.storage).endpoint ?? 'aws'} ${parseS3(location).bucket}`;
    if (known.has(key)) continue;
    try {
      await checkConditionalWrites(objects, location.replace(/\/+$/, ''), clock);
      known.add(key);
    } catch (error) {
      if (!isKind(error, 'unavailable', 'forbidden', 'not-found', 'invalid-argument')) throw error;
    }
  }
  if (known.size > before) await remember(file, known);
}

async function knownIn(file: string): Promise<Set<string>> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return new Set(text.split('\n').filter((line) => line !== ''));
}

/** A folder that cannot be written costs a check the next time, no more. */
async function remember(file: string, known: ReadonlySet<string>): Promise<void> {
  const text = [...known].map((line) => `${line}\n`).join('');
  await mkdir(dirname(file), { recursive: true })
    .then(() => writeFile(file, text))
    .catch(() => undefined);
}
