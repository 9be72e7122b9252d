import { isKind, LakeError } from '../../src/errors.ts';
import type { ViewMetadata } from '../../src/iceberg/view-metadata.ts';
import type { TableName, TablePointer } from '../store/catalog-store.ts';
import { movedOn, nameTaken, tableText } from '../store/not-there.ts';
import type { CatalogContext } from './context.ts';
import { requireFreeName } from './free-name.ts';
import type { MetadataFile } from './metadata-files.ts';
import { checkAgainstMoves } from './moved-paths.ts';
import { filesOfMetadata } from './table-places.ts';

/**
 * Gives a name to a table whose metadata file exists (REST spec: `registerTable`). With `overwrite` a table that has the name is
 * replaced in one transaction; it can be brought back under another name.
 *
 * The old -> new map of moves is kept for ever: metadata of a moved table that names old places is refused, and it cannot replace the
 * table by an earlier state, whose sequence numbers stale writers could go on from.
 *
 * Errors: `not-found` (namespace, metadata file), `already-exists` (name, uuid), `invalid-argument` (no table metadata), `conflict`.
 */
export async function registerTable(
  context: CatalogContext,
  table: TableName,
  request: {
    readonly metadataLocation: string;
    readonly overwrite: boolean;
    /** Throws if the caller may not take the uuid. */
    readonly claimUuid: (uuid: string) => Promise<void>;
  },
): Promise<MetadataFile> {
  const present = request.overwrite ? await replaceable(context, table) : null;
  if (present === null) await requireFreeName(context, table, 'Table');
  const standing = present === null ? null : await standingMetadata(context, present);
  context.places.requireReadable(request.metadataLocation, standing);
  const file = await given(context.files, request.metadataLocation);
  const { metadata } = file;
  const uuid = metadata['table-uuid'];
  await request.claimUuid(uuid);
  const same = present?.uuid === uuid ? present : null;
  const before = same === null ? null : (await context.files.read(same.metadataLocation)).metadata;
  const places = await context.places.toRegister(
    { kind: 'table', uuid },
    file,
    before,
    filesOfMetadata(metadata),
  );
  await checkMoves(context, file, same);
  const pointer = { ...table, uuid, metadataLocation: file.location };
  const replaced = present === null || present.uuid === uuid ? null : record(context);
  await context.store.registerTable(
    { ...pointer, expected: present?.metadataLocation ?? null, places },
    replaced,
  );
  return file;
}

/** Gives a name to a view whose metadata file exists (REST spec: `registerView`). Errors: as for tables. */
export async function registerView(
  context: CatalogContext,
  view: TableName,
  metadataLocation: string,
): Promise<MetadataFile<ViewMetadata>> {
  await requireFreeName(context, view, 'View');
  context.places.requireReadable(metadataLocation, null);
  const file = await given(context.viewFiles, metadataLocation);
  const uuid = file.metadata['view-uuid'];
  const places = await context.places.toRegister({ kind: 'view', uuid }, file, null, []);
  await context.store.changeView({
    ...view,
    uuid,
    expected: null,
    metadataLocation: file.location,
    places,
  });
  return file;
}

async function replaceable(context: CatalogContext, table: TableName): Promise<TablePointer | null> {
  if ((await context.store.findView(table)) !== null) throw nameTaken(table, 'Table', 'View');
  return context.store.findTable(table);
}

function record(context: CatalogContext) {
  return { id: context.clock.uuid(), nowMs: context.clock.now(), state: 'dropped' } as const;
}

async function checkMoves(
  context: CatalogContext,
  file: MetadataFile,
  present: TablePointer | null,
): Promise<void> {
  const { metadata } = file;
  const updates = metadata.snapshots.map((snapshot) => ({ action: 'add-snapshot', snapshot }) as const);
  await checkAgainstMoves(context, null, metadata, updates);
  if (present === null || !(await context.store.hasMoved(present.uuid))) return;
  const current = await context.files.read(present.metadataLocation);
  if (metadata['last-sequence-number'] >= current.metadata['last-sequence-number']) return;
  throw movedOn(`${file.location} is older than table ${tableText(present)}, whose files have moved since`);
}

/** Null for metadata that is lost or damaged: another file is registered over it. */
async function standingMetadata(context: CatalogContext, { metadataLocation }: TablePointer) {
  try {
    return (await context.files.read(metadataLocation)).metadata;
  } catch (error) {
    if (isKind(error, 'corrupt', 'unsupported')) return null;
    throw error;
  }
}

/** A metadata file that the client names: what is wrong with it is the client's to mend. */
async function given<F>(files: { readNamed(location: string): Promise<F> }, location: string): Promise<F> {
  try {
    return await files.readNamed(location);
  } catch (error) {
    if (!isKind(error, 'corrupt') || error.context['missing'] === true) throw error;
    // Text of the file is not told: it may be anybody's.
    const why = error.message.startsWith('not valid JSON') ? 'it is no JSON' : error.message;
    throw new LakeError('invalid-argument', `${location} is no metadata file: ${why}`, {
      where: location,
      hint: 'Nothing was registered: name a metadata.json file as an Iceberg writer wrote it.',
      cause: error,
    });
  }
}
