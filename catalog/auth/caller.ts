import type { FastifyRequest } from 'fastify';
import { LakeError } from '../../src/errors.ts';
import { heldBy, type Identity } from '../store/access-grants.ts';
import type { AccessStore } from '../store/access-store.ts';
import type { Levels } from '../store/catalog-store.ts';
import type { Need, Right, Securable } from './access.ts';
import { decide, type Held, holds, type Target } from './decide.ts';
import { hiddenError } from './hidden.ts';
import { isThere, NOWHERE, targetsOf } from './targets.ts';

/** Who sent a request, and what they may do. */
export interface Caller {
  /** For logs, metrics and the audit log: a principal's name, `oidc:<subject>`, `local`, `anonymous`. */
  readonly name: string;
  /** Keeps what is kept for one caller (idempotency keys) from others; null for the local operator. */
  readonly id: string | null;
  /** True if one of the rights is held on what is named. */
  may(anyOf: readonly Right[], on: Securable): Promise<boolean>;
  /** Errors: `forbidden` (403), `not-found` for what is hidden from them. */
  require(need: Need): Promise<void>;
  /** True if a namespace may be shown to them: they hold something on it, above it or below it. */
  seesNamespace(levels: Levels): boolean;
  /** Names of the tables or views of a namespace that may be shown to them; null for all. */
  namesSeen(kind: 'table' | 'view', namespace: Levels): ReadonlySet<string> | null;
}

/** Whoever works on the catalog's own machine, where auth is off or the catalog is part of the process: may do everything. */
export const LOCAL: Caller = {
  name: 'local',
  id: null,
  may: async () => true,
  require: async () => {},
  seesNamespace: () => true,
  namesSeen: () => null,
};

/** Somebody without a token, on a public route. */
export const ANONYMOUS: Caller = {
  name: 'anonymous',
  id: 'anonymous',
  may: async () => false,
  require: async () => {
    throw new LakeError('internal', 'a public route asked for a right');
  },
  seesNamespace: () => false,
  namesSeen: () => new Set(),
};

/** Who holds privileges of their own and of their roles, as they stand at this moment. */
export async function signedIn(access: AccessStore, name: string, identity: Identity): Promise<Caller> {
  const held = await heldBy(access.sql, identity);
  const id = identity.principalId ?? `oidc:${identity.subject ?? ''}`;
  return new SignedIn(access, held, { name, id });
}

class SignedIn implements Caller {
  readonly name: string;
  readonly id: string;
  readonly #access: AccessStore;
  readonly #held: readonly Held[];

  constructor(
    access: AccessStore,
    held: readonly Held[],
    who: { readonly name: string; readonly id: string },
  ) {
    this.#access = access;
    this.#held = held;
    this.name = who.name;
    this.id = who.id;
  }

  async may(anyOf: readonly Right[], on: Securable): Promise<boolean> {
    if (this.#heldFromAbove(anyOf, on)) return true;
    const targets = await targetsOf(this.#access.sql, on);
    return targets.every((target) => holds(this.#held, anyOf, target));
  }

  async require(need: Need): Promise<void> {
    const { anyOf, on, about = on } = need;
    if (this.#heldFromAbove(anyOf, on)) return;
    const { sql } = this.#access;
    if (need.orAbsent === true) {
      await this.#requireFree(anyOf, on);
      return;
    }
    const shown = (await targetsOf(sql, about))[0];
    for (const target of await targetsOf(sql, on)) {
      const decision = decide(this.#held, anyOf, target, about === on ? target : shown);
      if (decision.allowed) continue;
      const mayBeHidden = about.kind !== 'catalog';
      if (mayBeHidden && (decision.hidden || !(await isThere(sql, about)))) throw hiddenError(about);
      throw new LakeError('forbidden', `${this.name} may not do this: it ${decision.reason}`, {
        hint: 'Nothing was done. Who manages it can grant that: lake catalog grant add --help.',
      });
    }
  }

  seesNamespace(levels: Levels): boolean {
    return holds(this.#held, ['see'], { kind: 'namespace', levels });
  }

  namesSeen(kind: 'table' | 'view', namespace: Levels): ReadonlySet<string> | null {
    if (holds(this.#held, ['read'], { kind, uuid: null, namespace })) return null;
    const names = this.#held.flatMap(({ scope }) => {
      if (scope.kind !== kind || scope.at === null) return [];
      return samePlace(scope.at.namespace, namespace) ? [scope.at.name] : [];
    });
    return new Set(names);
  }

  async #requireFree(anyOf: readonly Right[], on: Securable): Promise<void> {
    const places = (await targetsOf(this.#access.sql, on)).filter((target) => target !== NOWHERE);
    if (places.every((target) => holds(this.#held, anyOf, target))) return;
    // Nothing of whose it is: they may not know of it.
    throw new LakeError('already-exists', 'A table with the same uuid is known to the catalog', {
      hint: 'Nothing was done: make a table of its own, with a uuid of its own.',
    });
  }

  /** Without a look at the database: most rights are held on namespaces or the catalog. */
  #heldFromAbove(anyOf: readonly Right[], on: Securable): boolean {
    return holds(this.#held, anyOf, knownTarget(on));
  }
}

/** What of the target stands in the request itself. */
function knownTarget(on: Securable): Target {
  if (on.kind === 'catalog' || on.kind === 'namespace') return on;
  if (on.kind === 'table' || on.kind === 'view') {
    return { kind: on.kind, uuid: null, namespace: on.name.namespace };
  }
  // Its table may lie anywhere.
  return { kind: 'table', uuid: null, namespace: null };
}

function samePlace(one: Levels, other: Levels): boolean {
  return one.length === other.length && one.every((level, at) => level === other[at]);
}

const callers = new WeakMap<FastifyRequest, Caller>();

/** Who sent the request. Errors: `internal` before it is known, and for requests to no route. */
export function callerOf(request: FastifyRequest): Caller {
  const caller = callers.get(request);
  if (caller === undefined) throw new LakeError('internal', 'nobody asked who sent the request');
  return caller;
}

/** The name of who sent the request, for logs and limits; null as long as nobody knows, and for the local operator. */
export function principalOf(request: FastifyRequest): string | null {
  const caller = callers.get(request);
  return caller === undefined || caller === LOCAL || caller === ANONYMOUS ? null : caller.name;
}

export function setCaller(request: FastifyRequest, caller: Caller): void {
  callers.set(request, caller);
}
