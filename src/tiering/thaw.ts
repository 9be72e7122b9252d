import { isKind } from '../errors.ts';
import { inParallel } from '../in-parallel.ts';
import type { ObjectHead, ThawOptions } from '../storage/object-store.ts';
import type { LakeContext } from '../table/context.ts';
import type { TierProgress } from './tiering-context.ts';

/** Objects looked at, or asked for, at once. */
const AT_ONCE = 16;
/** The quickest retrieval takes minutes, the slowest two days. */
const POLL_MS = 60_000;

/** What of some files lies in archives. Sizes in bytes. */
export interface FrozenFiles {
  /** Not asked for yet. */
  readonly frozen: readonly ObjectHead[];
  /** Asked for, by this run or another, and not readable yet. */
  readonly thawing: readonly ObjectHead[];
}

/**
 * Which of these objects cannot be read now; one that is gone is none of them: whoever wants to read it is told. The store keeps what was asked of it: a run that comes later learns it here, whatever became of
 * the one that asked. Errors: those of the store.
 */
export async function frozenFiles(
  { objects }: Pick<LakeContext, 'objects'>,
  locations: readonly string[],
): Promise<FrozenFiles> {
  const found = await inParallel(locations, AT_ONCE, (location) =>
    objects.head(location).catch((error: unknown) => {
      if (isKind(error, 'not-found')) return null;
      throw error;
    }),
  );
  const heads = found.filter((head) => head !== null);
  return {
    frozen: heads.filter(({ archive }) => archive === 'frozen'),
    thawing: heads.filter(({ archive }) => archive === 'thawing'),
  };
}

/** Asks for all that is frozen, once each. */
export async function requestThawing(
  { objects }: Pick<LakeContext, 'objects'>,
  { frozen }: FrozenFiles,
  options: ThawOptions,
): Promise<void> {
  await inParallel(frozen, AT_ONCE, ({ location }) => objects.restore(location, options));
}

/**
 * Waits until all of these objects can be read: hours, for most classes. It may be broken off and called again at any time. One that froze again meanwhile is
 * asked for anew. Errors: those of the store.
 *
 * @param table its name, for the progress
 */
export async function awaitThawed(
  context: Pick<LakeContext, 'objects' | 'clock'>,
  { table, locations }: { readonly table: string; readonly locations: readonly string[] },
  options: ThawOptions,
  progress: (progress: TierProgress) => void,
): Promise<void> {
  for (;;) {
    const left = await frozenFiles(context, locations);
    const waiting = left.frozen.length + left.thawing.length;
    const done = locations.length - waiting;
    progress({ table, step: 'waiting for archived files', done, total: locations.length });
    if (waiting === 0) return;
    await requestThawing(context, left, options);
    await context.clock.sleep(POLL_MS);
  }
}
