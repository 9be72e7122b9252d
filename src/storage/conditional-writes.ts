import type { Clock } from '../clock.ts';
import { isKind, LakeError } from '../errors.ts';
import type { ObjectStore } from './object-store.ts';

const MINE = new TextEncoder().encode('lake');
const OTHER = new TextEncoder().encode('another writer');

/**
 * Tries the conditional put that commits rest on: a new name is taken once. Leaves nothing behind.
 *
 * @param folder where to try it, without a slash at its end
 * @throws LakeError `unsupported` for a store that ignores If-None-Match; those of the store
 */
export async function checkConditionalWrites(
  objects: ObjectStore,
  folder: string,
  clock: Clock,
): Promise<void> {
  const name = `${folder}/.lake-probe-${clock.uuid()}`;
  try {
    await objects.put(name, MINE, { if: 'absent' });
    if (!(await isReplaced(objects, name))) return;
  } finally {
    // If it cannot be deleted, what was found is the thing to report.
    await objects.delete([name]).catch(() => undefined);
  }
  throw new LakeError(
    'unsupported',
    'the store ignores If-None-Match: a conditional put replaced an object',
    {
      where: folder,
      hint: 'Keep no tables here: two writers could overwrite each other. Take a store with conditional writes.',
    },
  );
}

async function isReplaced(objects: ObjectStore, name: string): Promise<boolean> {
  try {
    await objects.put(name, OTHER, { if: 'absent' });
    return true;
  } catch (error) {
    if (isKind(error, 'already-exists')) return false;
    throw error;
  }
}
