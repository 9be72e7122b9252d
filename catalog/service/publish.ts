import { LakeError } from '../../src/errors.ts';
import type { PointerChange } from '../store/catalog-store.ts';
import type { Draft } from './commit-step.ts';
import type { CatalogContext } from './context.ts';
import type { MetadataFile } from './metadata-files.ts';
import { surelyRefused } from './pointer-outcome.ts';

/**
 * Makes drafts what their tables are, all or none: the metadata files are durable before all pointers change in one transaction. A draft without
 * a difference gets no file; that its table still stands as it was is checked in the same transaction.
 * Errors: those of `changePointers`, and of writing (nothing was applied).
 */
export async function publish(
  context: CatalogContext,
  drafts: readonly Draft[],
): Promise<readonly MetadataFile[]> {
  const written: MetadataFile[] = [];
  let asked = false;
  try {
    const outcomes = await Promise.allSettled(
      drafts.map(async ({ base, next }) => {
        if (next === null) throw new LakeError('internal', 'a draft without metadata cannot be published');
        if (base !== null && next === base.metadata) return base;
        const file = await context.files.write(next, base?.location ?? null);
        written.push(file);
        return file;
      }),
    );
    // No file is under way any more when those written are discarded.
    const files = outcomes.map((outcome) => {
      if (outcome.status === 'rejected') throw outcome.reason;
      return outcome.value;
    });
    const changes = drafts.map((draft, at) => pointerChange(draft, files[at]));
    asked = true;
    await context.store.changePointers(changes);
    for (const [at, { base }] of drafts.entries()) {
      if (base !== null && base !== files[at]) context.files.forget(base);
    }
    return files;
  } catch (error) {
    // After any other outcome a pointer may name these files: they stay.
    if (!asked || surelyRefused(error)) await context.files.discard(written);
    throw error;
  }
}

function pointerChange(
  { table, base, fences, places }: Draft,
  file: MetadataFile | undefined,
): PointerChange {
  if (file === undefined) throw new LakeError('internal', 'a pointer needs a metadata file');
  const { location: metadataLocation, metadata } = file;
  const expected = base?.location ?? null;
  return { ...table, uuid: metadata['table-uuid'], expected, metadataLocation, fences, places };
}
