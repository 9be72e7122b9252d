import { LakeError } from '../../src/errors.ts';
import { parseJson, stringifyJson } from '../../src/iceberg/json.ts';
import type {
  HeldLease,
  Lease,
  Move,
  MoveKind,
  Page,
  PageRequest,
  Relocation,
  RelocationState,
  RelocationStateChange,
} from './catalog-store.ts';
import { joinLevels, splitLevels } from './namespaces.ts';
import { limitOf, toPage } from './page.ts';
import type { Row, Sql } from './sql-database.ts';
import { inLists } from './value-lists.ts';

export const MOVE_KINDS = [
  'data',
  'delete',
  'manifest',
  'manifest-list',
] as const satisfies readonly MoveKind[];
const STATES: readonly RelocationState[] = ['copying', 'swapped', 'finished', 'rolled-back', 'cleaned'];
const COLUMNS =
  'relocation_id, lease_id, namespace, name, table_uuid, grace_ms, plan, state, created_at_ms, swapped_at_ms';
const BEFORE: Readonly<Record<RelocationStateChange['state'], RelocationState>> = {
  cleaned: 'rolled-back',
  'rolled-back': 'copying',
  finished: 'swapped',
};

/** A text of the database as the member of a closed set that it is. */
export function oneOf<T extends string>(set: readonly T[], value: unknown): T {
  const found = set.find((member) => member === value);
  if (found === undefined)
    throw new LakeError('corrupt', `The catalog database holds the unknown word "${value}"`);
  return found;
}

const textOrNull = (value: unknown): string | null => (value === null ? null : String(value));

export async function acquireLease(
  sql: Sql,
  lease: Lease & { readonly tableUuid: string; readonly holder: string },
  nowMs: number,
): Promise<void> {
  const taken = await sql.run(
    `INSERT INTO leases VALUES (?, ?, ?, ?)
     ON CONFLICT (table_uuid) DO UPDATE
       SET lease_id = excluded.lease_id, holder = excluded.holder, expires_at_ms = excluded.expires_at_ms
       WHERE leases.expires_at_ms <= ?`,
    lease.tableUuid,
    lease.id,
    lease.holder,
    lease.expiresAtMs,
    nowMs,
  );
  if (taken > 0) return;
  const other = await sql.get('SELECT holder FROM leases WHERE table_uuid = ?', lease.tableUuid);
  throw new LakeError('conflict', `The table is leased by ${other?.['holder']}`, {
    hint: 'One relocation at a time moves a table: try again when it has finished or its lease has expired.',
  });
}

export async function renewLease(sql: Sql, lease: Lease): Promise<void> {
  const renewed = await sql.run(
    'UPDATE leases SET expires_at_ms = ? WHERE lease_id = ?',
    lease.expiresAtMs,
    lease.id,
  );
  if (renewed === 0) throw lostLease(lease.id);
}

function lostLease(id: string): LakeError {
  return new LakeError('conflict', `The lease ${id} is gone: released, or expired and taken over`, {
    hint: 'Stop this relocation; acquire a new lease and resume from the journal.',
  });
}

async function requireLease(sql: Sql, id: string, tableUuid: string, nowMs: number): Promise<void> {
  const row = await sql.get(
    'SELECT 1 FROM leases WHERE lease_id = ? AND table_uuid = ? AND expires_at_ms > ?',
    id,
    tableUuid,
    nowMs,
  );
  if (row === undefined) throw lostLease(id);
}

export async function createRelocation(sql: Sql, relocation: Relocation): Promise<void> {
  await requireLease(sql, relocation.leaseId, relocation.tableUuid, relocation.createdAtMs);
  if ((await findRelocation(sql, relocation.id)) !== null) {
    throw new LakeError('already-exists', `There is a relocation ${relocation.id} already`);
  }
  await sql.run(
    'INSERT INTO relocations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)',
    relocation.id,
    relocation.leaseId,
    joinLevels(relocation.namespace),
    relocation.name,
    relocation.tableUuid,
    relocation.graceMs,
    stringifyJson(relocation.plan),
    relocation.state,
    relocation.createdAtMs,
  );
}

async function findRelocation(sql: Sql, id: string): Promise<Relocation | null> {
  const row = await sql.get(`SELECT ${COLUMNS} FROM relocations WHERE relocation_id = ?`, id);
  return row === undefined ? null : relocationOf(row);
}

export async function requireRelocation(sql: Sql, id: string): Promise<Relocation> {
  const relocation = await findRelocation(sql, id);
  if (relocation === null) throw new LakeError('not-found', `There is no relocation ${id}`);
  return relocation;
}

export async function listRelocations(
  sql: Sql,
  filter: { readonly tableUuid?: string; readonly state?: string },
): Promise<readonly Relocation[]> {
  const { tableUuid, state } = filter;
  const conditions = [
    ...(tableUuid === undefined ? [] : ['table_uuid = ?']),
    ...(state === undefined ? [] : ['state = ?']),
  ];
  const rows = await sql.all(
    `SELECT ${COLUMNS} FROM relocations ${conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`}
     ORDER BY created_at_ms, relocation_id`,
    ...[tableUuid, state].filter((value) => value !== undefined),
  );
  return rows.map(relocationOf);
}

function relocationOf(row: Row): Relocation {
  const swapped = row['swapped_at_ms'];
  return {
    id: String(row['relocation_id']),
    leaseId: String(row['lease_id']),
    namespace: splitLevels(String(row['namespace'])),
    name: String(row['name']),
    tableUuid: String(row['table_uuid']),
    graceMs: Number(row['grace_ms']),
    plan: parseJson(String(row['plan'])),
    state: oneOf(STATES, row['state']),
    createdAtMs: Number(row['created_at_ms']),
    swappedAtMs: swapped === null ? null : Number(swapped),
  };
}

async function requireCopying(sql: Sql, id: string): Promise<Relocation> {
  const relocation = await requireRelocation(sql, id);
  if (relocation.state !== 'copying') throw wrongState(relocation);
  return relocation;
}

/** The relocation that may be journaled into and swapped: copying, and its table leased to the caller. */
export async function requireSwappable(
  sql: Sql,
  id: string,
  leaseId: string,
  nowMs: number,
): Promise<Relocation> {
  const relocation = await requireCopying(sql, id);
  await requireLease(sql, leaseId, relocation.tableUuid, nowMs);
  return relocation;
}

function wrongState(relocation: Relocation): LakeError {
  return new LakeError('conflict', `Relocation ${relocation.id} is ${relocation.state} already`, {
    hint: 'Read the journal: another process went on with it.',
    context: { state: relocation.state },
  });
}

export async function addMoves(
  sql: Sql,
  id: string,
  moves: readonly Move[],
  { leaseId, nowMs }: HeldLease,
): Promise<void> {
  // A run that lost its lease must not journal into what another one goes on with.
  await requireSwappable(sql, id, leaseId, nowMs);
  for (const some of inLists(moves)) {
    const added = await sql.run(
      `INSERT INTO moves (relocation_id, from_location, to_location, kind, size, from_tier, to_tier)
       VALUES ${some.map(() => '(?, ?, ?, ?, ?, ?, ?)').join(', ')} ON CONFLICT (to_location) DO NOTHING`,
      ...some.flatMap((move) => [id, move.from, move.to, move.kind, move.size, move.fromTier, move.toTier]),
    );
    if (added === some.length) continue;
    for (const move of new Set(some)) await requireSameMove(sql, id, move);
  }
}

/** A batch sent twice, after an answer that was lost, is fine; a path used for anything else is not. */
async function requireSameMove(sql: Sql, id: string, move: Move): Promise<void> {
  const row = await sql.get('SELECT relocation_id, from_location FROM moves WHERE to_location = ?', move.to);
  if (row?.['relocation_id'] === id && row['from_location'] === move.from) return;
  throw new LakeError('conflict', `The path ${move.to} was used by a relocation before`, {
    hint: 'A path is used once, ever: choose a new one.',
  });
}

export async function listMoves(sql: Sql, id: string, page: PageRequest): Promise<Page<Move>> {
  await requireRelocation(sql, id);
  const rows = await sql.all(
    `SELECT seq, from_location, to_location, kind, size, from_tier, to_tier FROM moves
     WHERE relocation_id = ? AND seq > ? ORDER BY seq LIMIT ?`,
    id,
    Number(page.after ?? 0),
    limitOf(page),
  );
  const cut = toPage(rows, page, (row) => String(row['seq']));
  return { rows: cut.rows.map(moveOf), next: cut.next };
}

function moveOf(row: Row): Move {
  return {
    from: String(row['from_location']),
    to: String(row['to_location']),
    kind: oneOf(MOVE_KINDS, row['kind']),
    size: Number(row['size']),
    fromTier: textOrNull(row['from_tier']),
    toTier: textOrNull(row['to_tier']),
  };
}

export async function setState(sql: Sql, id: string, change: RelocationStateChange): Promise<void> {
  const { state, leaseId, nowMs } = change;
  const relocation = await requireRelocation(sql, id);
  if (relocation.state === state) return;
  if (relocation.state !== BEFORE[state]) throw wrongState(relocation);
  // Whoever rolls back deletes copies next: a run that lost its lease must not, as the next one may swap them in.
  if (state === 'rolled-back') await requireLease(sql, leaseId ?? '', relocation.tableUuid, nowMs);
  await sql.run('UPDATE relocations SET state = ? WHERE relocation_id = ?', state, id);
}
