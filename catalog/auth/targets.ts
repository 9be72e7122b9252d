import {
  droppedTable,
  namespaceExists,
  type Placed,
  placesOfUuid,
  tableOfLease,
  tableOfRelocation,
  uuidOf,
} from '../store/access-securables.ts';
import type { Sql } from '../store/sql-database.ts';
import type { Securable } from './access.ts';
import type { Target } from './decide.ts';

/** A table that nothing is known of: only the catalog lies above it. */
export const NOWHERE: Target = { kind: 'table', uuid: null, namespace: null };

/** What a request names, as the database knows it; a right on it is one on each of the targets. */
export async function targetsOf(sql: Sql, on: Securable): Promise<readonly Target[]> {
  switch (on.kind) {
    case 'catalog':
    case 'namespace':
      return [on];
    case 'table':
    case 'view':
      return [{ kind: on.kind, uuid: await uuidOf(sql, on.kind, on.name), namespace: on.name.namespace }];
    case 'table-uuid':
      return tablesOf(sql, on.uuid);
    case 'lease':
      return tablesOf(sql, await tableOfLease(sql, on.id));
    case 'dropped-table': {
      const dropped = await droppedTable(sql, on.id);
      return dropped === null ? [NOWHERE] : [tableOf(dropped)];
    }
    case 'relocation':
      return relocated(sql, on.id);
  }
}

async function tablesOf(sql: Sql, uuid: string | null): Promise<readonly Target[]> {
  const places = uuid === null ? [] : await placesOfUuid(sql, uuid);
  return places.length === 0 ? [NOWHERE] : places.map(tableOf);
}

/** The swap goes by the name that the relocation has of its table: another table may have it by now. */
async function relocated(sql: Sql, id: string): Promise<readonly Target[]> {
  const found = await tableOfRelocation(sql, id);
  if (found === null) return [NOWHERE];
  const named = await uuidOf(sql, 'table', found.name);
  const own = await tablesOf(sql, found.uuid);
  if (named === null || named === found.uuid) return own;
  return [...own, { kind: 'table', uuid: named, namespace: found.name.namespace }];
}

function tableOf({ uuid, namespace }: Placed): Target {
  return { kind: 'table', uuid, namespace };
}

/** False for a namespace that does not exist. What else does not exist has no uuid, which its target says. */
export async function isThere(sql: Sql, on: Securable): Promise<boolean> {
  return on.kind !== 'namespace' || namespaceExists(sql, on.levels);
}
