import type { TableName } from '../store/catalog-store.ts';
import { nameTaken, type Relation, refuseBranchName } from '../store/not-there.ts';
import type { CatalogContext } from './context.ts';

/** Tables and views share the names of a namespace. Errors: `not-found` (namespace), `already-exists`, `invalid-argument` for a branch's name. */
export async function requireFreeName(
  context: CatalogContext,
  name: TableName,
  wanted: Relation,
): Promise<void> {
  refuseBranchName(name);
  await context.store.loadNamespace(name.namespace);
  if ((await context.store.findTable(name)) !== null) throw nameTaken(name, wanted, 'Table');
  if ((await context.store.findView(name)) !== null) throw nameTaken(name, wanted, 'View');
}
