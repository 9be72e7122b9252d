import type { FastifyRequest } from 'fastify';
import * as z from 'zod';
import {
  bodyOf,
  branchOf,
  checked,
  identifierSchema,
  idOf,
  namespaceOf,
  tableOf,
  viewOf,
} from '../http/request.ts';
import type { Levels, TableName } from '../store/catalog-store.ts';

/*
 * How a route says who may use it. Every route of the app declares it, or the app does not start:
 *
 *   app.get('/v1/namespaces/:namespace/tables/:table', allow(needs('read', 'table')), handler)
 *
 * - `'public'`: no token is asked for (config, tokens, health).
 * - `'authenticated'`: any valid token; the handler shows no more than `callerOf(request)` may see (see `caller.ts`).
 * - `needs(right, on)`: the right on what the path names: `'catalog'`, or `'namespace'`, `'table'`, `'table-or-branch'`, `'view'`, `'relocation'`, `'lease'`,
 *   `'dropped-table'` by the parameters `:namespace`, `:table`, `:view`, `:id`. Of several rights one is enough: `needs(['write', 'maintain'], 'table')`.
 * - `needsOf(text, request => Need[])`: for what the query or the body names. All needs have to be met before the handler runs; the
 *   text says for people what is needed (docs/security.md is made of it). The body is parsed by then and not yet checked: check it
 *   with the schema of the route.
 *
 * A handler that does more for some callers than for others asks `callerOf(request)`. What a caller has no right on is to them as if it were not there:
 * 404, whether it exists or not. What they see and may not do is 403.
 */

/** What may be granted. See `IMPLIED` in `decide.ts` for which includes which. */
export const PRIVILEGES = ['read', 'write', 'manage', 'maintain', 'steward'] as const;
export type Privilege = (typeof PRIVILEGES)[number];

/** `see`: any privilege on it, on something above it, or on something below it. */
export type Right = Privilege | 'see';

/** What a right is on, as a request names it. */
export type Securable =
  | { readonly kind: 'catalog' }
  | { readonly kind: 'namespace'; readonly levels: Levels }
  | { readonly kind: 'table' | 'view'; readonly name: TableName }
  /** The table with this uuid, standing or dropped. */
  | { readonly kind: 'table-uuid'; readonly uuid: string }
  /** The table that the relocation, the lease or the drop is of. */
  | { readonly kind: 'relocation' | 'lease' | 'dropped-table'; readonly id: string };

/** One of the rights has to be held. */
export interface Need {
  readonly anyOf: readonly Right[];
  readonly on: Securable;
  /** What the caller has to see at least to be told of `on`; 404 for this one otherwise. `on` itself if absent. */
  readonly about?: Securable;
  /** The need is met, too, if there is no such table: what is to be made must not take the place of somebody else's. */
  readonly orAbsent?: true;
}

export interface AccessRule {
  /** For people: which right on what. */
  readonly says: string;
  readonly of: (request: FastifyRequest) => readonly Need[];
}

export type Access = 'public' | 'authenticated' | AccessRule;

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: Access;
  }
}

/** The options of a route with this access; further options are spread beside it. */
export function allow(access: Access): { readonly config: { readonly access: Access } } {
  return { config: { access } };
}

const byPath = {
  catalog: () => CATALOG,
  namespace: (request) => ({ kind: 'namespace', levels: namespaceOf(request) }),
  table: (request) => ({ kind: 'table', name: tableOf(request) }),
  // By a branch's name it is the same table, with the same rights.
  'table-or-branch': (request) => ({ kind: 'table', name: branchOf(request).table }),
  view: (request) => ({ kind: 'view', name: viewOf(request) }),
  relocation: (request) => ({ kind: 'relocation', id: idOf(request) }),
  lease: (request) => ({ kind: 'lease', id: idOf(request) }),
  'dropped-table': (request) => ({ kind: 'dropped-table', id: idOf(request) }),
} satisfies Record<string, (request: FastifyRequest) => Securable>;

export const CATALOG = { kind: 'catalog' } as const;

const NAMED: Readonly<Record<keyof typeof byPath, string>> = {
  catalog: 'the catalog',
  namespace: 'the namespace',
  table: 'the table',
  'table-or-branch': 'the table',
  view: 'the view',
  relocation: 'the table of the relocation',
  lease: 'the table of the lease',
  'dropped-table': 'the dropped table',
};

/** The right, or one of the rights, on what the path names. */
export function needs(right: Right | readonly Right[], on: keyof typeof byPath): AccessRule {
  const anyOf = [right].flat();
  return {
    says: `${anyOf.join(' or ')} on ${NAMED[on]}`,
    of: (request) => [{ anyOf, on: byPath[on](request) }],
  };
}

/** Rights on what the query or the body names; `says` tells people of them. */
export function needsOf(says: string, of: AccessRule['of']): AccessRule {
  return { says, of };
}

const uuidQuery = z.looseObject({ 'table-uuid': z.string().optional() });

/** The rights on the table that `?table-uuid=` names; without it on the catalog, as the answer then tells of all tables. */
export function needsOnTableOrAll(right: Right | readonly Right[]): AccessRule {
  const anyOf = [right].flat();
  return needsOf(
    `${anyOf.join(' or ')} on the table of \`table-uuid\`, without it on the catalog`,
    (request) => {
      const { 'table-uuid': uuid } = checked(uuidQuery, request.query, 'query');
      return [{ anyOf, on: uuid === undefined ? CATALOG : { kind: 'table-uuid', uuid } }];
    },
  );
}

const renameBody = z.object({ source: identifierSchema, destination: identifierSchema });

/** Whoever moves a table or view from one namespace to another takes it out of the one and puts it into the other. */
export function needsToRename(kind: 'table' | 'view'): AccessRule {
  return needsOf('manage on both namespaces', (request) => {
    const { source, destination } = bodyOf(request, renameBody);
    return [
      {
        anyOf: ['manage'],
        on: { kind: 'namespace', levels: source.namespace },
        about: { kind, name: source },
      },
      { anyOf: ['manage'], on: { kind: 'namespace', levels: destination.namespace } },
    ];
  });
}
