import { LakeError } from '../../src/errors.ts';
import type { AppliedRequest } from './applied-request.ts';
import type { IdempotencyRecord, MetricsReport, Page, PageRequest } from './catalog-store.ts';
import { joinLevels, splitLevels } from './namespaces.ts';
import { limitOf, toPage } from './page.ts';
import type { Row, Sql } from './sql-database.ts';

export async function findIdempotencyRecord(sql: Sql, key: string): Promise<IdempotencyRecord | null> {
  const row = await sql.get(
    'SELECT digest, created_at_ms, status, body FROM idempotency_keys WHERE key = ?',
    key,
  );
  if (row === undefined) return null;
  return {
    key,
    digest: String(row['digest']),
    createdAtMs: Number(row['created_at_ms']),
    status: row['status'] === null ? null : Number(row['status']),
    body: row['body'] === null ? null : String(row['body']),
  };
}

/**
 * Notes in the transaction of a change that the request was applied. Errors: `unavailable` if another process has applied it; the change
 * is then rolled back.
 */
export async function noteApplied(sql: Sql, request: AppliedRequest): Promise<void> {
  const { key, digest, createdAtMs } = request;
  const insert = 'INSERT INTO idempotency_keys VALUES (?, ?, ?, NULL, NULL) ON CONFLICT (key) DO NOTHING';
  if ((await sql.run(insert, key, digest, createdAtMs)) > 0) request.noted = true;
  if (request.noted) return;
  throw new LakeError('unavailable', 'The same request is being answered by another server', {
    hint: 'Nothing was applied here: send it once more with the same Idempotency-Key.',
    context: { ofOneRequest: true },
  });
}

/**
 * Keeps the answer of a request, whether or not its change was noted already. False for a refusal of a request that is noted as applied: another
 * server made the change, and the refusal saw what it had made.
 */
export async function saveIdempotencyRecord(sql: Sql, record: IdempotencyRecord): Promise<boolean> {
  const before = await findIdempotencyRecord(sql, record.key);
  if (isRefusal(record.status) && before?.digest === record.digest && !isRefusal(before.status)) return false;
  await sql.run(
    `INSERT INTO idempotency_keys VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (key) DO UPDATE SET status = excluded.status, body = excluded.body
       WHERE idempotency_keys.digest = excluded.digest`,
    record.key,
    record.digest,
    record.createdAtMs,
    record.status,
    record.body,
  );
  return true;
}

const isRefusal = (status: number | null): boolean => status !== null && status >= 400;

export async function forgetIdempotencyRecords(sql: Sql, createdBeforeMs: number): Promise<void> {
  await sql.run('DELETE FROM idempotency_keys WHERE created_at_ms < ?', createdBeforeMs);
}

export async function addMetricsReport(
  sql: Sql,
  report: Omit<MetricsReport, 'seq'>,
  keep: number,
): Promise<void> {
  await sql.run(
    'INSERT INTO metrics_reports (table_uuid, namespace, name, received_at_ms, report) VALUES (?, ?, ?, ?, ?)',
    report.tableUuid,
    joinLevels(report.namespace),
    report.name,
    report.receivedAtMs,
    report.report,
  );
  await sql.run(
    `DELETE FROM metrics_reports WHERE table_uuid = ?1 AND seq <=
       (SELECT seq FROM metrics_reports WHERE table_uuid = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)`,
    report.tableUuid,
    keep,
  );
}

/** Oldest first. */
export async function listMetricsReports(
  sql: Sql,
  tableUuid: string,
  page: PageRequest,
): Promise<Page<MetricsReport>> {
  const rows = await sql.all(
    `SELECT seq, table_uuid, namespace, name, received_at_ms, report FROM metrics_reports
     WHERE table_uuid = ? AND seq > ? ORDER BY seq LIMIT ?`,
    tableUuid,
    Number(page.after ?? 0),
    limitOf(page),
  );
  return toPage(rows.map(reportOf), page, (row) => `${row.seq}`);
}

function reportOf(row: Row): MetricsReport {
  return {
    seq: Number(row['seq']),
    tableUuid: String(row['table_uuid']),
    namespace: splitLevels(String(row['namespace'])),
    name: String(row['name']),
    receivedAtMs: Number(row['received_at_ms']),
    report: String(row['report']),
  };
}
