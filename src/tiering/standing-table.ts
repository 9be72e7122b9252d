import type { LoadedTable } from '../catalog-client/catalog.ts';
import { isKind } from '../errors.ts';
import type { LakeContext } from '../table/context.ts';

/** How often a table is read again that changed while it was read. */
const TRIES = 4;

/**
 * Reads what a table's metadata leads to, on the state loaded first; where a file of it is gone because the table moved on (another run expired
 * what was about to be read), again on the state of now.
 *
 * @returns the state that was read, and what `read` made of it
 * @throws LakeError whatever `read` throws; `not-found` where the table has not changed, was dropped or made anew, or goes on changing
 */
export async function readStanding<T>(
  context: Pick<LakeContext, 'catalog'>,
  first: LoadedTable,
  read: (table: LoadedTable) => Promise<T>,
): Promise<{ readonly table: LoadedTable; readonly value: T }> {
  let table = first;
  for (let attempt = 1; ; attempt++) {
    try {
      return { table, value: await read(table) };
    } catch (error) {
      if (!isKind(error, 'not-found') || attempt === TRIES) throw error;
      const now = await context.catalog.loadTable(table.identifier).catch((cause: unknown) => {
        if (isKind(cause, 'not-found')) throw error;
        throw cause;
      });
      const isSame = now.metadata['table-uuid'] === table.metadata['table-uuid'];
      if (!isSame || now.metadataLocation === table.metadataLocation) throw error;
      table = now;
    }
  }
}
