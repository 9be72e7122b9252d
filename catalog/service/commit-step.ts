import { checkRequirements } from '../../src/iceberg/requirements.ts';
import type { TableMetadata } from '../../src/iceberg/table-metadata.ts';
import { applyUpdates } from '../../src/iceberg/updates.ts';
import type { Fence, TableName, TablePlace } from '../store/catalog-store.ts';
import { noSuchTable } from '../store/not-there.ts';
import type { CatalogContext } from './context.ts';
import { checkAgainstExpiry } from './expiry-guard.ts';
import { requireFreeName } from './free-name.ts';
import type { MetadataFile } from './metadata-files.ts';
import { checkAgainstMoves } from './moved-paths.ts';
import type { TableChange } from './table-change.ts';
import { filesOfUpdates } from './table-places.ts';

/** A table on its way from what its pointer names to what a commit makes of it. */
export interface Draft {
  readonly table: TableName;
  /** What the pointer names; null for a table to be created. */
  readonly base: MetadataFile | null;
  /** The base's metadata until a change makes a difference. */
  readonly next: TableMetadata | null;
  readonly fences: readonly Fence[];
  readonly places: readonly TablePlace[];
}

/** The table as it stands. */
export async function startDraft(context: CatalogContext, table: TableName): Promise<Draft> {
  const pointer = await context.store.findTable(table);
  const base = pointer === null ? null : await context.files.read(pointer.metadataLocation);
  return { table, base, next: base?.metadata ?? null, fences: [], places: [] };
}

/**
 * The draft with one more change: everything that a commit has to fulfil is checked on the table as the draft has it, as if the changes before
 * had been commits of their own.
 * Errors: `not-found`, `conflict`, `already-exists`, `invalid-argument`, `unavailable`: the change cannot be made; the draft stays as it was.
 */
export async function withChange(context: CatalogContext, draft: Draft, change: TableChange): Promise<Draft> {
  const { table, requirements, updates } = change;
  const { base, next: before } = draft;
  const creates = requirements.some((requirement) => requirement.type === 'assert-create');
  if (before === null && !creates) throw noSuchTable(table);
  if (before === null) await requireFreeName(context, table, 'Table');
  checkRequirements(before, requirements);
  const next = applyUpdates(before, updates, {
    nowMs: context.clock.now(),
    // States between base and end have no file: the log goes from the base's file to the next one written.
    ...(base === null || before !== base.metadata ? {} : { previousMetadataLocation: base.location }),
  });
  const owner = { kind: 'table', uuid: next['table-uuid'] } as const;
  const places = await context.places.toTake(owner, before, next);
  await context.places.requireOwn(before, next, filesOfUpdates(updates));
  checkAgainstExpiry(before, next, updates);
  const fences = await checkAgainstMoves(context, before, next, updates, draft.fences);
  return {
    ...draft,
    next,
    fences: [...draft.fences, ...fences],
    places: [...draft.places, ...places],
  };
}
