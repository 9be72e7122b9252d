import { isKind } from '../../src/errors.ts';
import type { Schema } from '../../src/iceberg/schema.ts';
import type { ViewMetadata, ViewVersion } from '../../src/iceberg/view-metadata.ts';
import {
  applyViewUpdates,
  checkViewRequirements,
  type ViewRequirement,
  type ViewUpdate,
} from '../../src/iceberg/view-updates.ts';
import type { TableName } from '../store/catalog-store.ts';
import { noSuchView } from '../store/not-there.ts';
import type { CatalogContext } from './context.ts';
import { defaultLocation } from './create-table.ts';
import { requireFreeName } from './free-name.ts';
import type { MetadataFile } from './metadata-files.ts';
import { surelyRefused } from './pointer-outcome.ts';

export interface NewViewRequest {
  readonly schema: Schema;
  readonly version: ViewVersion;
  readonly location?: string;
  readonly properties: Readonly<Record<string, string>>;
}

/** What a commit asks of a view. */
export interface ViewChange {
  readonly requirements: readonly ViewRequirement[];
  readonly updates: readonly ViewUpdate[];
}

export type ViewFile = MetadataFile<ViewMetadata>;

/** How often a change whose requirements still hold is applied anew to a view that moved on under it. */
const ATTEMPTS = 8;

/** The view's current metadata file. Errors: `not-found`, `corrupt`. */
export async function currentView(context: CatalogContext, view: TableName): Promise<ViewFile> {
  const pointer = await context.store.findView(view);
  if (pointer === null) throw noSuchView(view);
  return context.viewFiles.read(pointer.metadataLocation);
}

/** Creates the view: its metadata file, then the pointer. Errors: `not-found` (namespace), `already-exists`, `invalid-argument`. */
export async function createView(
  context: CatalogContext,
  view: TableName,
  request: NewViewRequest,
): Promise<ViewFile> {
  await requireFreeName(context, view, 'View');
  const uuid = context.clock.uuid();
  const updates: ViewUpdate[] = [
    { action: 'assign-uuid', uuid },
    { action: 'set-location', location: request.location ?? defaultLocation(context.warehouse, view, uuid) },
    { action: 'set-properties', updates: request.properties },
    { action: 'add-schema', schema: request.schema },
    { action: 'add-view-version', 'view-version': { ...request.version, 'schema-id': -1 } },
    { action: 'set-current-view-version', 'view-version-id': -1 },
  ];
  return publish(context, view, null, applyViewUpdates(null, updates, context.clock.now()));
}

/** Commits a change to a view. Errors: `not-found`, `conflict` (nothing applied), `invalid-argument`, `unknown-outcome`. */
export async function commitView(
  context: CatalogContext,
  view: TableName,
  change: ViewChange,
): Promise<ViewFile> {
  for (let attempt = 1; ; attempt++) {
    const base = await currentView(context, view);
    checkViewRequirements(base.metadata, change.requirements);
    const next = applyViewUpdates(base.metadata, change.updates, context.clock.now());
    if (next === base.metadata) return base;
    try {
      return await publish(context, view, base, next);
    } catch (error) {
      if (!isKind(error, 'conflict') || attempt === ATTEMPTS) throw error;
    }
  }
}

async function publish(
  context: CatalogContext,
  view: TableName,
  base: ViewFile | null,
  next: ViewMetadata,
): Promise<ViewFile> {
  const places = await context.places.toTake(
    { kind: 'view', uuid: next['view-uuid'] },
    base?.metadata ?? null,
    next,
  );
  const file = await context.viewFiles.write(next, base?.location ?? null);
  try {
    await context.store.changeView({
      ...view,
      uuid: next['view-uuid'],
      expected: base?.location ?? null,
      metadataLocation: file.location,
      places,
    });
  } catch (error) {
    if (surelyRefused(error)) await context.viewFiles.discard([file]);
    throw error;
  }
  return file;
}
