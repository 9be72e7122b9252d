import { isKind, LakeError } from '../../src/errors.ts';
import { gcEnabled } from '../../src/iceberg/gc-enabled.ts';
import type { TableName } from '../store/catalog-store.ts';
import type { CatalogContext } from './context.ts';
import { currentFile } from './load-table.ts';
import type { MetadataFile } from './metadata-files.ts';

/** How often a table may move on while it is being unregistered. */
const ATTEMPTS = 8;

/** Takes a table out of the catalog; it can be brought back (`undrop`), and its files stay. Errors: `not-found`. */
export async function dropTable(context: CatalogContext, table: TableName): Promise<void> {
  const { store, clock } = context;
  const record = { id: clock.uuid(), nowMs: clock.now(), state: 'dropped' } as const;
  await store.dropTable(table, { expected: null, record });
}

/**
 * Takes a table out of the catalog for good; its files go afterwards (see `Purges`).
 * Errors: `not-found`, `invalid-argument` if `gc.enabled` is false (its files may be shared), those of reading its metadata.
 */
export async function purgeTable(context: CatalogContext, table: TableName): Promise<void> {
  const { store, clock } = context;
  await withCurrent(context, table, (file) => {
    refuseWithoutCollection(file);
    const record = { id: clock.uuid(), nowMs: clock.now(), state: 'purging' } as const;
    return store.dropTable(table, { expected: file.location, record });
  });
}

/** Purges a table that was dropped before. Errors: `not-found`, `conflict` if that began already, `invalid-argument`. */
export async function purgeDropped(context: CatalogContext, id: string): Promise<void> {
  const dropped = await context.store.getDropped(id);
  refuseWithoutCollection(await context.files.read(dropped.metadataLocation));
  await context.store.startPurge(id);
}

/**
 * Takes a table out of the catalog so that another may register it: nothing is remembered, nothing is deleted.
 * @returns its last metadata, after which no commit came
 */
export async function unregisterTable(context: CatalogContext, table: TableName): Promise<MetadataFile> {
  return withCurrent(context, table, (file) =>
    context.store.dropTable(table, { expected: file.location, record: null }),
  );
}

async function withCurrent(
  context: CatalogContext,
  table: TableName,
  drop: (file: MetadataFile) => Promise<unknown>,
): Promise<MetadataFile> {
  for (let attempt = 1; ; attempt++) {
    const file = await currentFile(context, table);
    try {
      await drop(file);
      return file;
    } catch (error) {
      if (!isKind(error, 'conflict') || attempt === ATTEMPTS) throw error;
    }
  }
}

function refuseWithoutCollection({ metadata, location }: MetadataFile): void {
  if (gcEnabled(metadata)) return;
  throw new LakeError('invalid-argument', 'The table has gc.enabled=false: its files may be shared', {
    where: location,
    hint: 'Nothing was dropped: drop without purge, or set gc.enabled=true first.',
  });
}
