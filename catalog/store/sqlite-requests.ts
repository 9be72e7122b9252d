import { LakeError } from '../../src/errors.ts';
import type { AppliedRequest } from './applied-request.ts';
import type { IdempotencyRecord, MetricsReport, Page, PageRequest } from './catalog-store.ts';
import type { Row, SqliteDatabase } from './sqlite-database.ts';
import { joinLevels, limitOf, splitLevels, toPage } from './sqlite-namespaces.ts';

export function findIdempotencyRecord(database: SqliteDatabase, key: string): IdempotencyRecord | null {
  const row = database.get('SELECT * FROM idempotency_keys WHERE key = ?', key);
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
 * Notes in the transaction of a change that the request was applied. Errors: `conflict` if another process has applied it; the change is
 * then rolled back.
 */
export function noteApplied(database: SqliteDatabase, request: AppliedRequest): void {
  const known = findIdempotencyRecord(database, request.key);
  if (known === null) {
    const { key, digest, createdAtMs } = request;
    database.run('INSERT INTO idempotency_keys VALUES (?, ?, ?, NULL, NULL)', key, digest, createdAtMs);
    request.noted = true;
    return;
  }
  if (request.noted) return;
  throw new LakeError('unavailable', 'The same request is being answered by another server', {
    hint: 'Nothing was applied here: send it once more with the same Idempotency-Key.',
  });
}

/** Keeps the answer of a request, whether or not its change was noted already. */
export function saveIdempotencyRecord(
  database: SqliteDatabase,
  record: IdempotencyRecord,
  forgetBeforeMs: number,
): void {
  database.run('DELETE FROM idempotency_keys WHERE created_at_ms < ?', forgetBeforeMs);
  database.run(
    `INSERT INTO idempotency_keys VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (key) DO UPDATE SET status = excluded.status, body = excluded.body
       WHERE digest = excluded.digest`,
    record.key,
    record.digest,
    record.createdAtMs,
    record.status,
    record.body,
  );
}

export function addMetricsReport(
  database: SqliteDatabase,
  report: Omit<MetricsReport, 'seq'>,
  keep: number,
): void {
  database.run(
    'INSERT INTO metrics_reports (table_uuid, namespace, name, received_at_ms, report) VALUES (?, ?, ?, ?, ?)',
    report.tableUuid,
    joinLevels(report.namespace),
    report.name,
    report.receivedAtMs,
    report.report,
  );
  database.run(
    `DELETE FROM metrics_reports WHERE table_uuid = ?1 AND seq <=
       (SELECT seq FROM metrics_reports WHERE table_uuid = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)`,
    report.tableUuid,
    keep,
  );
}

/** Oldest first. */
export function listMetricsReports(
  database: SqliteDatabase,
  tableUuid: string,
  page: PageRequest,
): Page<MetricsReport> {
  const rows = database.all(
    'SELECT * FROM metrics_reports WHERE table_uuid = ? AND seq > ? ORDER BY seq LIMIT ?',
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
