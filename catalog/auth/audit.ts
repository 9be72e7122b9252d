import type { FastifyRequest } from 'fastify';
import type { Clock } from '../../src/clock.ts';
import { type AuditEntry, type AuditOutcome, pruneAudit } from '../store/access-audit.ts';
import type { AccessStore } from '../store/access-store.ts';
import { tableText } from '../store/not-there.ts';
import type { Securable } from './access.ts';
import { ANONYMOUS, type Caller } from './caller.ts';

/** Lines about callers whom nobody knows, each minute: who has no token must not be able to fill the database. */
const UNKNOWN_A_MINUTE = 60;
const MINUTE_MS = 60_000;
const PRUNE_EVERY_MS = 3_600_000;
const MAX_TEXT = 1000;

/** Writes the audit log: who did what, on which, from where. */
export class Audit {
  readonly #access: AccessStore;
  readonly #clock: Clock;
  readonly #keepMs: number;
  #unknown = { sinceMs: 0, written: 0, left: 0 };
  #prunedAtMs = 0;

  /** @param keepMs older lines are forgotten */
  constructor(access: AccessStore, clock: Clock, keepMs: number) {
    this.#access = access;
    this.#clock = clock;
    this.#keepMs = keepMs;
  }

  /** The line of a change that the request makes; a store writes it in the transaction of the change. */
  change(request: FastifyRequest, caller: Caller): AuditEntry {
    return this.#entry(request, caller, {
      outcome: 'applied',
      status: null,
      object: objectOf(request),
      note: null,
    });
  }

  /** Notes that the request was refused. An audit log that cannot be written to is told to the log; the request is refused all the same. */
  async refused(
    request: FastifyRequest,
    caller: Caller,
    what: {
      readonly status: number;
      readonly note: string;
      readonly object?: string;
      readonly outcome?: AuditOutcome;
    },
  ): Promise<void> {
    const left = this.#leftOut(caller);
    if (left === null) return;
    const { status, note, object = objectOf(request), outcome = 'refused' } = what;
    const more = left === 0 ? '' : ` (and ${left} more of unknown callers that were not written down)`;
    try {
      await this.#access.note(
        this.#entry(request, caller, { outcome, status, object, note: `${note}${more}` }),
      );
      await this.#prune();
    } catch (error) {
      request.log.error(error, 'the audit log could not be written to');
    }
  }

  #entry(
    request: FastifyRequest,
    caller: Caller,
    rest: Pick<AuditEntry, 'outcome' | 'status' | 'object' | 'note'>,
  ): AuditEntry {
    return {
      ...rest,
      object: rest.object.slice(0, MAX_TEXT),
      note: rest.note?.slice(0, MAX_TEXT) ?? null,
      atMs: this.#clock.now(),
      principal: caller.name.slice(0, MAX_TEXT),
      action: `${request.method} ${request.routeOptions.url ?? ''}`,
      address: request.ip,
      requestId: String(request.id).slice(0, MAX_TEXT),
    };
  }

  /** How many lines were left out since the last one; null if this one is to be left out too. */
  #leftOut(caller: Caller): number | null {
    if (caller !== ANONYMOUS) return 0;
    const nowMs = this.#clock.now();
    if (Math.abs(nowMs - this.#unknown.sinceMs) >= MINUTE_MS) {
      this.#unknown = { sinceMs: nowMs, written: 0, left: this.#unknown.left };
    }
    if (this.#unknown.written >= UNKNOWN_A_MINUTE) {
      this.#unknown.left += 1;
      return null;
    }
    const { left } = this.#unknown;
    this.#unknown.written += 1;
    this.#unknown.left = 0;
    return left;
  }

  /** Forgets what is too old; now and then, or at once. */
  async #prune(): Promise<void> {
    const nowMs = this.#clock.now();
    if (Math.abs(nowMs - this.#prunedAtMs) < PRUNE_EVERY_MS) return;
    this.#prunedAtMs = nowMs;
    await this.prune();
  }

  /** Forgets what is too old. */
  async prune(): Promise<number> {
    return pruneAudit(this.#access.sql, this.#clock.now() - this.#keepMs);
  }
}

/** What the request is on, in words; of a request whose body is off nothing is known. */
function objectOf(request: FastifyRequest): string {
  const { access, auditedAs } = request.routeOptions.config;
  if (auditedAs !== undefined) return auditedAs(request);
  if (access === undefined || typeof access === 'string') return '';
  try {
    const named = access
      .of(request)
      .map(({ on, about }) => securableText(about?.kind === 'catalog' ? on : (about ?? on)));
    return [...new Set(named)].join(', ');
  } catch {
    return '';
  }
}

/** `table sales.orders` */
export function securableText(on: Securable): string {
  switch (on.kind) {
    case 'catalog':
      return 'catalog';
    case 'namespace':
      return `namespace ${on.levels.join('.')}`;
    case 'table':
    case 'view':
      return `${on.kind} ${tableText(on.name)}`;
    case 'table-uuid':
      return `table ${on.uuid}`;
    case 'relocation':
    case 'lease':
      return `${on.kind} ${on.id}`;
    case 'dropped-table':
      return `dropped table ${on.id}`;
  }
}
