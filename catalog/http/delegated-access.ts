import type { FastifyRequest } from 'fastify';
import { callerOf } from '../auth/caller.ts';
import type { CatalogContext } from '../service/context.ts';
import type { FileAccess } from '../service/load-table.ts';
import type { NamedTable } from '../vending/own-folders.ts';
import type { ObjectRight } from '../vending/session-policy.ts';

/** By this header a client says how it can get at the files without keys of its own (REST spec: `data-access`). */
export const DELEGATION = 'x-iceberg-access-delegation';

/**
 * What the caller is given to get at the table's files; null for one who does not ask. Errors: `invalid-argument` for a table that no credentials can
 * be made for, `unavailable` if STS does not answer.
 */
export async function delegatedAccess(
  context: CatalogContext,
  request: FastifyRequest,
  named: NamedTable,
): Promise<FileAccess | null> {
  const delegation = context.vending.delegationFor(request.headers[DELEGATION]);
  if (delegation === null) return null;
  return context.vending.accessTo(named, await rightOf(request, named), delegation);
}

/** As `delegatedAccess`, after a change that was made and must not be answered as one that failed: the client asks again. */
export async function accessIfAny(
  context: CatalogContext,
  request: FastifyRequest,
  named: NamedTable,
): Promise<FileAccess | null> {
  try {
    return await delegatedAccess(context, request, named);
  } catch (error) {
    request.log.warn(error, 'no credentials for a table that was just made');
    return null;
  }
}

/** Whoever may change rows, or rewrite files for upkeep, may write objects. */
export async function rightOf(request: FastifyRequest, { table }: NamedTable): Promise<ObjectRight> {
  const mayWrite = await callerOf(request).may(['write', 'maintain'], { kind: 'table', name: table });
  return mayWrite ? 'write' : 'read';
}
