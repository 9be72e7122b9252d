import type { Fence, LedgerEntry, Page, PageRequest, Swap } from './catalog-store.ts';
import { splitLevels } from './namespaces.ts';
import { movedOn } from './not-there.ts';
import { limitOf, toPage } from './page.ts';
import { MOVE_KINDS, oneOf, requireSwappable } from './relocations.ts';
import type { Row, Sql } from './sql-database.ts';
import { changePointer } from './tables.ts';
import { inLists, marks } from './value-lists.ts';

/** Pointer, state, ledger and fences, inside the caller's transaction. */
export async function swap(sql: Sql, request: Swap): Promise<void> {
  const { relocationId, nowMs } = request;
  const relocation = await requireSwappable(sql, relocationId, request.leaseId, nowMs);
  if (relocation.tableUuid !== request.pointer.uuid) {
    throw movedOn('The table was dropped and created anew since this relocation began');
  }
  await changePointer(sql, 'Table', request.pointer);
  const until = nowMs + relocation.graceMs;
  await sql.run(
    `INSERT INTO ledger (table_uuid, location, kind, relocation_id, retired_at_ms, delete_after_ms)
     SELECT ?, from_location, kind, relocation_id, ?, ? FROM moves WHERE relocation_id = ? ORDER BY seq
     ON CONFLICT DO NOTHING`,
    relocation.tableUuid,
    nowMs,
    until,
    relocationId,
  );
  for (const some of inLists(request.retired)) {
    await sql.run(
      `INSERT INTO ledger (table_uuid, location, kind, relocation_id, retired_at_ms, delete_after_ms)
       VALUES ${some.map(() => '(?, ?, ?, ?, ?, ?)').join(', ')} ON CONFLICT DO NOTHING`,
      ...some.flatMap((one) => [relocation.tableUuid, one.location, one.kind, relocationId, nowMs, until]),
    );
  }
  for (const { ref, snapshotId } of request.fences) {
    const { afterSequenceNumber } = request;
    await addFence(sql, relocation.tableUuid, { ref, snapshotId, untilMs: until, afterSequenceNumber });
  }
  await sql.run(
    "UPDATE relocations SET state = 'swapped', swapped_at_ms = ?, lease_id = ? WHERE relocation_id = ?",
    nowMs,
    request.leaseId,
    relocationId,
  );
}

export async function addFence(sql: Sql, tableUuid: string, fence: Fence): Promise<void> {
  await sql.run(
    `INSERT INTO fences (table_uuid, ref, snapshot_id, until_ms, after_sequence_number)
     VALUES (?, ?, ?, ?, ?)`,
    tableUuid,
    fence.ref,
    `${fence.snapshotId}`,
    fence.untilMs,
    fence.afterSequenceNumber,
  );
}

export async function listLedger(
  sql: Sql,
  filter: { readonly tableUuid?: string; readonly dueBeforeMs?: number },
  page: PageRequest,
): Promise<Page<LedgerEntry>> {
  const { tableUuid, dueBeforeMs } = filter;
  const rows = await sql.all(
    `SELECT seq, ledger.table_uuid, location, kind, relocation_id, retired_at_ms, delete_after_ms,
       relocations.namespace, relocations.name
     FROM ledger JOIN relocations USING (relocation_id)
     WHERE deleted_at_ms IS NULL AND seq > ?
       ${tableUuid === undefined ? '' : 'AND ledger.table_uuid = ?'}
       ${dueBeforeMs === undefined ? '' : 'AND delete_after_ms <= ?'}
     ORDER BY seq LIMIT ?`,
    Number(page.after ?? 0),
    ...[tableUuid, dueBeforeMs].filter((value) => value !== undefined),
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

export async function markDeleted(sql: Sql, locations: readonly string[], nowMs: number): Promise<void> {
  for (const some of inLists(locations)) {
    await sql.run(
      `UPDATE ledger SET deleted_at_ms = ? WHERE deleted_at_ms IS NULL AND location IN (${marks(some)})`,
      nowMs,
      ...some,
    );
  }
}

/** Ledger rows are kept for ever, deleted or not: a stale writer may come back at any time. */
export async function hasMoved(sql: Sql, tableUuid: string): Promise<boolean> {
  return (await sql.get('SELECT 1 FROM ledger WHERE table_uuid = ? LIMIT 1', tableUuid)) !== undefined;
}

export async function retiredAmong(
  sql: Sql,
  tableUuid: string,
  locations: readonly string[],
): Promise<readonly string[]> {
  const found: string[] = [];
  for (const some of inLists(locations)) {
    const statement = `SELECT location FROM ledger WHERE table_uuid = ? AND location IN (${marks(some)})`;
    found.push(...locationsOf(await sql.all(statement, tableUuid, ...some)));
  }
  return found;
}

export async function retiredBetween(
  sql: Sql,
  tableUuid: string,
  lower: string,
  upper: string,
): Promise<readonly string[]> {
  const rows = await sql.all(
    "SELECT location FROM ledger WHERE table_uuid = ? AND kind = 'data' AND location BETWEEN ? AND ? LIMIT 1",
    tableUuid,
    lower,
    upper,
  );
  return locationsOf(rows);
}

const locationsOf = (rows: readonly Row[]): string[] => rows.map((row) => String(row['location']));

export async function dataMovedTo(
  sql: Sql,
  tableUuid: string,
  locations: readonly string[],
  nowMs: number,
): Promise<readonly string[]> {
  const found: string[] = [];
  for (const some of inLists(locations)) {
    const rows = await sql.all(
      // SQLite joins in the order of a CROSS JOIN: each move by its unique target, then its ledger row by the unique path.
      `SELECT ledger.location FROM moves CROSS JOIN ledger
       WHERE moves.to_location IN (${marks(some)}) AND moves.kind = 'data'
         AND ledger.location = moves.from_location AND ledger.relocation_id = moves.relocation_id
         AND ledger.table_uuid = ? AND ledger.delete_after_ms > ?`,
      ...some,
      tableUuid,
      nowMs,
    );
    found.push(...locationsOf(rows));
  }
  return found;
}

export async function guardedFences(sql: Sql, tableUuid: string, nowMs: number): Promise<readonly Fence[]> {
  const rows = await sql.all(
    'SELECT ref, snapshot_id, until_ms, after_sequence_number FROM fences WHERE table_uuid = ? AND until_ms > ?',
    tableUuid,
    nowMs,
  );
  return rows.map((row) => ({
    ref: String(row['ref']),
    snapshotId: BigInt(String(row['snapshot_id'])),
    untilMs: Number(row['until_ms']),
    afterSequenceNumber: Number(row['after_sequence_number']),
  }));
}
