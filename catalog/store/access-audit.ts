import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';
import type { Page, PageRequest } from './page.ts';
import { limitOf, toPage } from './page.ts';
import type { Row, Sql } from './sql-database.ts';

/** `applied`: a change that was made. `refused`: a decision against the caller. `failed`: signing in did not work. */
export const AUDIT_OUTCOMES = ['applied', 'refused', 'failed'] as const;
export type AuditOutcome = (typeof AUDIT_OUTCOMES)[number];

/** One line of the audit log: who did what, on which, from where. Never holds secrets, tokens, bodies or queries. */
export interface AuditEntry {
  readonly atMs: number;
  /** `admin`, `oidc:<subject>`, `local` for whoever works on the catalog's own machine, `anonymous`. */
  readonly principal: string;
  /** Verb and route: `POST /v1/tables/rename`. */
  readonly action: string;
  /** What it is on: `table sales.orders`, several joined by `, `. */
  readonly object: string;
  readonly outcome: AuditOutcome;
  /** HTTP status; null for a change, which is noted before its answer. */
  readonly status: number | null;
  readonly address: string;
  readonly requestId: string;
  readonly note: string | null;
}

export interface StoredAuditEntry extends AuditEntry {
  readonly id: string;
}

export interface AuditFilter {
  readonly principal?: string;
  readonly outcome?: AuditOutcome;
  readonly fromMs?: number;
  readonly toMs?: number;
}

/** A request whose changes are noted. */
export interface AuditedRequest {
  readonly entry: () => AuditEntry;
  noted: boolean;
}

const running = new AsyncLocalStorage<readonly AuditedRequest[]>();

/** Runs `work` so that the first change of the store in it notes `entry` in its own transaction. */
export function runAudited<T>(entry: () => AuditEntry, work: () => T): T {
  return running.run([{ entry, noted: false }], work);
}

/** The audited requests that the caller works for. */
export function auditedRequests(): readonly AuditedRequest[] {
  return running.getStore() ?? [];
}

/** Runs `work` for several requests whose changes are made as one. */
export function runAuditedFor<T>(requests: readonly AuditedRequest[], work: () => T): T {
  return running.run(requests, work);
}

/**
 * Notes a change in the transaction that makes it, once for each request; does nothing outside of an audited one. A store calls it in
 * every transaction that changes something, and `changeNoted` when that is committed.
 */
export async function noteChange(sql: Sql): Promise<void> {
  for (const request of auditedRequests()) if (!request.noted) await addAuditEntry(sql, request.entry());
}

/** The transaction in which the change was noted is committed: further changes of the same requests are not noted again. */
export function changeNoted(): void {
  for (const request of auditedRequests()) request.noted = true;
}

export async function addAuditEntry(sql: Sql, entry: AuditEntry): Promise<void> {
  await sql.run(
    'INSERT INTO audit_log VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
    entryId(entry.atMs),
    entry.atMs,
    entry.principal,
    entry.action,
    entry.object,
    entry.outcome,
    entry.status,
    entry.address,
    entry.requestId,
    entry.note,
  );
}

let made = 0;

/** Ids sort by time, those of one process also within a millisecond, and two servers never make the same. */
function entryId(atMs: number): string {
  made = (made + 1) % 0x1_0000_0000;
  return `${timePart(atMs)}${made.toString(16).padStart(8, '0')}${randomBytes(8).toString('hex')}`;
}

const timePart = (ms: number): string => Math.max(0, Math.floor(ms)).toString(16).padStart(12, '0');

/** Oldest first. */
export async function listAuditEntries(
  sql: Sql,
  filter: AuditFilter,
  page: PageRequest,
): Promise<Page<StoredAuditEntry>> {
  const conditions = ['audit_id > ?'];
  const values: (string | number)[] = [page.after ?? ''];
  const where = (condition: string, value: string | number | undefined) => {
    if (value === undefined) return;
    conditions.push(condition);
    values.push(value);
  };
  where('principal = ?', filter.principal);
  where('outcome = ?', filter.outcome);
  where('audit_id >= ?', filter.fromMs === undefined ? undefined : timePart(filter.fromMs));
  where('audit_id < ?', filter.toMs === undefined ? undefined : timePart(filter.toMs));
  const rows = await sql.all(
    `SELECT * FROM audit_log WHERE ${conditions.join(' AND ')} ORDER BY audit_id LIMIT ?`,
    ...values,
    limitOf(page),
  );
  return toPage(rows.map(entryOf), page, ({ id }) => id);
}

/** Forgets what is older. */
export async function pruneAudit(sql: Sql, beforeMs: number): Promise<number> {
  return sql.run('DELETE FROM audit_log WHERE audit_id < ?', timePart(beforeMs));
}

function entryOf(row: Row): StoredAuditEntry {
  const { status, note } = row;
  return {
    id: String(row['audit_id']),
    atMs: Number(row['at_ms']),
    principal: String(row['principal']),
    action: String(row['action']),
    object: String(row['object']),
    outcome: AUDIT_OUTCOMES.find((one) => one === row['outcome']) ?? 'applied',
    status: status === null ? null : Number(status),
    address: String(row['address']),
    requestId: String(row['request_id']),
    note: note === null ? null : String(note),
  };
}
