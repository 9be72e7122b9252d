import type { Fence, LedgerEntry, Page, PageRequest, Swap } from './catalog-store.ts';
import { movedOn } from './not-there.ts';
import type { Row, SqliteDatabase } from './sqlite-database.ts';
import { limitOf, splitLevels, toPage } from './sqlite-namespaces.ts';
import { MOVE_KINDS, oneOf, requireSwappable } from './sqlite-relocations.ts';
import { changePointer } from './sqlite-tables.ts';

/** Pointer, state, ledger and fences, inside the caller's transaction. */
export function swap(database: SqliteDatabase, request: Swap): void {
  const { relocationId, nowMs } = request;
  const relocation = requireSwappable(database, relocationId, request.leaseId, nowMs);
  if (relocation.tableUuid !== request.pointer.uuid) {
    throw movedOn('The table was dropped and created anew since this relocation began');
  }
  changePointer(database, 'Table', request.pointer);
  const until = nowMs + relocation.graceMs;
  database.run(
    `INSERT INTO ledger (table_uuid, location, kind, relocation_id, retired_at_ms, delete_after_ms)
     SELECT ?1, from_location, kind, ?2, ?3, ?4 FROM moves WHERE relocation_id = ?2 ORDER BY seq
     ON CONFLICT DO NOTHING`,
    relocation.tableUuid,
    relocationId,
    nowMs,
    until,
  );
  for (const { location, kind } of request.retired) {
    database.run(
      `INSERT INTO ledger (table_uuid, location, kind, relocation_id, retired_at_ms, delete_after_ms)
       VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
      relocation.tableUuid,
      location,
      kind,
      relocationId,
      nowMs,
      until,
    );
  }
  for (const { ref, snapshotId } of request.fences) {
    const { afterSequenceNumber } = request;
    addFence(database, relocation.tableUuid, { ref, snapshotId, untilMs: until, afterSequenceNumber });
  }
  database.run(
    "UPDATE relocations SET state = 'swapped', swapped_at_ms = ?, lease_id = ? WHERE relocation_id = ?",
    nowMs,
    request.leaseId,
    relocationId,
  );
}

export function addFence(database: SqliteDatabase, tableUuid: string, fence: Fence): void {
  database.run(
    `INSERT INTO fences (table_uuid, ref, snapshot_id, until_ms, after_sequence_number)
     VALUES (?, ?, ?, ?, ?)`,
    tableUuid,
    fence.ref,
    `${fence.snapshotId}`,
    fence.untilMs,
    fence.afterSequenceNumber,
  );
}

export function listLedger(
  database: SqliteDatabase,
  filter: { readonly tableUuid?: string; readonly dueBeforeMs?: number },
  page: PageRequest,
): Page<LedgerEntry> {
  const rows = database.all(
    `SELECT ledger.*, relocations.namespace, relocations.name
     FROM ledger JOIN relocations USING (relocation_id)
     WHERE deleted_at_ms IS NULL AND seq > ?1
       AND (?2 IS NULL OR ledger.table_uuid = ?2) AND (?3 IS NULL OR delete_after_ms <= ?3)
     ORDER BY seq LIMIT ?4`,
    Number(page.after ?? 0),
    filter.tableUuid ?? null,
    filter.dueBeforeMs ?? null,
    limitOf(page),
  );
  const cut = toPage(rows, page, (row) => String(row['seq']));
  return { rows: cut.rows.map(entryOf), next: cut.next };
}

function entryOf(row: Row): LedgerEntry {
  return {
    location: String(row['location']),
    kind: oneOf(MOVE_KINDS, row['kind']),
    tableUuid: String(row['table_uuid']),
    namespace: splitLevels(String(row['namespace'])),
    name: String(row['name']),
    relocationId: String(row['relocation_id']),
    retiredAtMs: Number(row['retired_at_ms']),
    deleteAfterMs: Number(row['delete_after_ms']),
  };
}

export function markDeleted(database: SqliteDatabase, locations: readonly string[], nowMs: number): void {
  database.run(
    'UPDATE ledger SET deleted_at_ms = ? WHERE deleted_at_ms IS NULL AND location IN (SELECT value FROM json_each(?))',
    nowMs,
    JSON.stringify(locations),
  );
}

/** Ledger rows are kept for ever, deleted or not: a stale writer may come back at any time. */
export function hasMoved(database: SqliteDatabase, tableUuid: string): boolean {
  return database.get('SELECT 1 FROM ledger WHERE table_uuid = ? LIMIT 1', tableUuid) !== undefined;
}

export function retiredAmong(
  database: SqliteDatabase,
  tableUuid: string,
  locations: readonly string[],
): readonly string[] {
  const rows = database.all(
    'SELECT location FROM ledger WHERE table_uuid = ? AND location IN (SELECT value FROM json_each(?))',
    tableUuid,
    JSON.stringify(locations),
  );
  return rows.map((row) => String(row['location']));
}

export function retiredBetween(
  database: SqliteDatabase,
  tableUuid: string,
  lower: string,
  upper: string,
): readonly string[] {
  const rows = database.all(
    "SELECT location FROM ledger WHERE table_uuid = ? AND kind = 'data' AND location BETWEEN ? AND ? LIMIT 1",
    tableUuid,
    lower,
    upper,
  );
  return rows.map((row) => String(row['location']));
}

export function dataMovedTo(
  database: SqliteDatabase,
  tableUuid: string,
  locations: readonly string[],
  nowMs: number,
): readonly string[] {
  const rows = database.all(
    `SELECT ledger.location FROM moves JOIN ledger
       ON ledger.relocation_id = moves.relocation_id AND ledger.location = moves.from_location
     WHERE moves.to_location IN (SELECT value FROM json_each(?)) AND moves.kind = 'data'
       AND ledger.table_uuid = ? AND ledger.delete_after_ms > ?`,
    JSON.stringify(locations),
    tableUuid,
    nowMs,
  );
  return rows.map((row) => String(row['location']));
}

export function guardedFences(database: SqliteDatabase, tableUuid: string, nowMs: number): readonly Fence[] {
  return database
    .all(
      'SELECT ref, snapshot_id, until_ms, after_sequence_number FROM fences WHERE table_uuid = ? AND until_ms > ?',
      tableUuid,
      nowMs,
    )
    .map((row) => ({
      ref: String(row['ref']),
      snapshotId: BigInt(String(row['snapshot_id'])),
      untilMs: Number(row['until_ms']),
      afterSequenceNumber: Number(row['after_sequence_number']),
    }));
}
