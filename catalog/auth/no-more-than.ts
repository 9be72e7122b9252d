import type { FastifyRequest } from 'fastify';
import { LakeError } from '../../src/errors.ts';
import type { Securable } from './access.ts';
import { callerOf } from './caller.ts';
import type { GrantScope, Held } from './decide.ts';

/**
 * Who takes over an account (a new secret), puts somebody into a role, or takes either away, grants or takes what it holds: they have to hold all
 * of that themselves. Without this a manager of the catalog could make themselves a steward. Errors: `forbidden` (403).
 */
export async function requireNoMoreThan(request: FastifyRequest, held: readonly Held[]): Promise<void> {
  const caller = callerOf(request);
  for (const { privilege, scope } of held) {
    if (await caller.may([privilege], securableOf(scope))) continue;
    throw new LakeError(
      'forbidden',
      `Nobody grants or takes away what they do not hold, and this account or role holds ${privilege}`,
      { hint: 'Nothing was done: ask somebody who holds that too. Stewards are made by stewards.' },
    );
  }
}

function securableOf(scope: GrantScope): Securable {
  switch (scope.kind) {
    case 'catalog':
    case 'namespace':
      return scope;
    case 'table':
      return { kind: 'table-uuid', uuid: scope.uuid };
    case 'view':
      // A dropped view does not come back: who manages the catalog may do with its grants what they like.
      return scope.at === null ? { kind: 'catalog' } : { kind: 'view', name: scope.at };
  }
}
