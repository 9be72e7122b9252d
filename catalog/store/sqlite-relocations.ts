import { LakeError } from '../../src/errors.ts';
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
import type { Row, SqliteDatabase } from './sqlite-database.ts';
import { joinLevels, limitOf, splitLevels, toPage } from './sqlite-namespaces.ts';

export const MOVE_KINDS = [
  'data',
  'delete',
  'manifest',
  'manifest-list',
] as const satisfies readonly MoveKind[];
const STATES: readonly RelocationState[] = ['copying', 'swapped', 'finished', 'rolled-back', 'cleaned'];
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

export function acquireLease(
  database: SqliteDatabase,
  lease: Lease & { readonly tableUuid: string; readonly holder: string },
  nowMs: number,
): void {
  const taken = database.run(
    `INSERT INTO leases VALUES (?1, ?2, ?3, ?4)
     ON CONFLICT (table_uuid) DO UPDATE SET lease_id = ?2, holder = ?3, expires_at_ms = ?4
     WHERE expires_at_ms <= ?5`,
    lease.tableUuid,
    lease.id,
    lease.holder,
    lease.expiresAtMs,
    nowMs,
  );
  if (taken > 0) return;
  const holder = database.get('SELECT holder FROM leases WHERE table_uuid = ?', lease.tableUuid)?.['holder'];
  throw new LakeError('conflict', `The table is leased by ${holder}`, {
    hint: 'One relocation at a time moves a table: try again when it has finished or its lease has expired.',
  });
}

export function renewLease(database: SqliteDatabase, lease: Lease): void {
  const renewed = database.run(
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

function requireLease(database: SqliteDatabase, id: string, tableUuid: string, nowMs: number): void {
  const row = database.get(
    'SELECT 1 FROM leases WHERE lease_id = ? AND table_uuid = ? AND expires_at_ms > ?',
    id,
    tableUuid,
    nowMs,
  );
  if (row === undefined) throw lostLease(id);
}

export function createRelocation(database: SqliteDatabase, relocation: Relocation): void {
  requireLease(database, relocation.leaseId, relocation.tableUuid, relocation.createdAtMs);
  if (findRelocation(database, relocation.id) !== null) {
    throw new LakeError('already-exists', `There is a relocation ${relocation.id} already`);
  }
  database.run(
    'INSERT INTO relocations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)',
    relocation.id,
    relocation.leaseId,
    joinLevels(relocation.namespace),
    relocation.name,
    relocation.tableUuid,
    relocation.graceMs,
    JSON.stringify(relocation.plan),
    relocation.state,
    relocation.createdAtMs,
  );
}

function findRelocation(database: SqliteDatabase, id: string): Relocation | null {
  const row = database.get('SELECT * FROM relocations WHERE relocation_id = ?', id);
  return row === undefined ? null : relocationOf(row);
}

export function requireRelocation(database: SqliteDatabase, id: string): Relocation {
  const relocation = findRelocation(database, id);
  if (relocation === null) throw new LakeError('not-found', `There is no relocation ${id}`);
  return relocation;
}

export function listRelocations(
  database: SqliteDatabase,
  filter: { readonly tableUuid?: string; readonly state?: string },
): readonly Relocation[] {
  const rows = database.all(
    `SELECT * FROM relocations WHERE (?1 IS NULL OR table_uuid = ?1) AND (?2 IS NULL OR state = ?2)
     ORDER BY created_at_ms, relocation_id`,
    filter.tableUuid ?? null,
    filter.state ?? null,
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
    plan: JSON.parse(String(row['plan'])),
    state: oneOf(STATES, row['state']),
    createdAtMs: Number(row['created_at_ms']),
    swappedAtMs: swapped === null ? null : Number(swapped),
  };
}

function requireCopying(database: SqliteDatabase, id: string): Relocation {
  const relocation = requireRelocation(database, id);
  if (relocation.state !== 'copying') throw wrongState(relocation);
  return relocation;
}

/** The relocation that may be journaled into and swapped: copying, and its table leased to the caller. */
export function requireSwappable(
  database: SqliteDatabase,
  id: string,
  leaseId: string,
  nowMs: number,
): Relocation {
  const relocation = requireCopying(database, id);
  requireLease(database, leaseId, relocation.tableUuid, nowMs);
  return relocation;
}

function wrongState(relocation: Relocation): LakeError {
  return new LakeError('conflict', `Relocation ${relocation.id} is ${relocation.state} already`, {
    hint: 'Read the journal: another process went on with it.',
    context: { state: relocation.state },
  });
}

export function addMoves(
  database: SqliteDatabase,
  id: string,
  moves: readonly Move[],
  { leaseId, nowMs }: HeldLease,
): void {
  // A run that lost its lease must not journal into what another one goes on with.
  requireSwappable(database, id, leaseId, nowMs);
  for (const move of moves) {
    const added = database.run(
      `INSERT INTO moves (relocation_id, from_location, to_location, kind, size, from_tier, to_tier)
       VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (to_location) DO NOTHING`,
      id,
      move.from,
      move.to,
      move.kind,
      move.size,
      move.fromTier,
      move.toTier,
    );
    if (added === 0) requireSameMove(database, id, move);
  }
}

/** A batch sent twice, after an answer that was lost, is fine; a path used for anything else is not. */
function requireSameMove(database: SqliteDatabase, id: string, move: Move): void {
  const row = database.get('SELECT relocation_id, from_location FROM moves WHERE to_location = ?', move.to);
  if (row?.['relocation_id'] === id && row['from_location'] === move.from) return;
  throw new LakeError('conflict', `The path ${move.to} was used by a relocation before`, {
    hint: 'A path is used once, ever: choose a new one.',
  });
}

export function listMoves(database: SqliteDatabase, id: string, page: PageRequest): Page<Move> {
  requireRelocation(database, id);
  const rows = database.all(
    'SELECT * FROM moves WHERE relocation_id = ? AND seq > ? ORDER BY seq LIMIT ?',
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

export function setState(database: SqliteDatabase, id: string, change: RelocationStateChange): void {
  const { state, leaseId, nowMs } = change;
  const relocation = requireRelocation(database, id);
  if (relocation.state === state) return;
  if (relocation.state !== BEFORE[state]) throw wrongState(relocation);
  // Whoever rolls back deletes copies next: a run that lost its lease must not, as the next one may swap them in.
  if (state === 'rolled-back') requireLease(database, leaseId ?? '', relocation.tableUuid, nowMs);
  database.run('UPDATE relocations SET state = ? WHERE relocation_id = ?', state, id);
}
