import { systemClock } from '../../src/clock.ts';
import { isKind } from '../../src/errors.ts';
import { appendSelect } from '../../src/table/append.ts';
import { deleteWhere } from '../../src/table/delete.ts';
import { upsertSelect } from '../../src/table/upsert.ts';
import { type Acknowledged, apply, type Change, seeded } from './race-model.ts';
import {
  busyDay,
  dayOf,
  idOf,
  type RacedTable,
  type RacingLake,
  restMs,
  TABLES,
  timestamp,
} from './racing-lake.ts';

/** In a snapshot's summary: the writer's change that made it. */
const CHANGE_PROPERTY = 'race.change';
/** Ids of one writer. */
const OWN_IDS = 10_000_000;
/** Rows that a change touches at most. */
const MOST_ROWS = 40;
/** Rows of a writer in a table, above which it deletes more than it adds: a long race is as quick at its end as at its start. */
const ENOUGH_ROWS = 300;
/** Between two changes of a writer. */
const MOST_PAUSE_MS = 100;
/** The share of upserts and deletes that go to any day, not to the busy one. */
const ANYWHERE = 0.05;

export interface WriterReport {
  readonly changes: readonly Acknowledged[];
  /** Changes that the table refused, or whose inputs were deleted under them; none of their rows may ever be seen. */
  readonly refused: readonly string[];
}

/** Changes rows until `untilMs`: appends new ids, upserts and deletes its own, and keeps what was acknowledged. */
export async function write(
  lake: RacingLake,
  { writer, seed, untilMs }: { readonly writer: number; readonly seed: number; readonly untilMs: number },
): Promise<WriterReport> {
  const random = seeded(seed * 31 + writer);
  const models = new Map(TABLES.map((table) => [table, new Map<number, number>()]));
  const changes: Acknowledged[] = [];
  const refused: string[] = [];
  let nextId = writer * OWN_IDS;
  for (let n = 0; lake.clock.now() < untilMs; n++) {
    // Else those who change more than rows never get their turn.
    await systemClock.sleep(Math.max(restMs(lake.clock.now()), random() * MOST_PAUSE_MS));
    const table = TABLES[Math.floor(random() * TABLES.length)] ?? 'left';
    const change = choose(
      random,
      { table, rows: models.get(table) ?? new Map(), nextId, n },
      busyDay(lake.clock.now()),
    );
    nextId = Math.max(nextId, ...change.ids.map((id) => id + 1));
    const mark = `${writer}-${n}`;
    const sequence = await attempt(lake, change, mark).catch(async (error: unknown) => {
      const found = await sequenceOf(lake, change.table, mark);
      if (found === null) refused.push(`${mark} ${change.kind}: ${error}`);
      return found;
    });
    if (sequence === null) continue;
    const rows = models.get(change.table);
    if (rows !== undefined) apply(rows, change);
    changes.push({ ...change, sequence });
  }
  return { changes, refused };
}

interface Choice {
  readonly table: RacedTable;
  /** The writer's own rows in it. */
  readonly rows: ReadonlyMap<number, number>;
  readonly nextId: number;
  readonly n: number;
}

function choose(random: () => number, { table, rows, nextId, n }: Choice, busy: number): Change {
  const count = 1 + Math.floor(random() * MOST_ROWS);
  const isAnywhere = random() < ANYWHERE;
  const there = [...rows].filter(([id, v]) => isAnywhere || dayOf(id, v) === busy).map(([id]) => id);
  const isEnough = rows.size > ENOUGH_ROWS;
  if (there.length === 0 || random() < (isEnough ? 0.2 : 0.4)) {
    return { table, kind: 'append', ids: Array.from({ length: count }, (_, at) => nextId + at), v: n };
  }
  const kind = random() < (isEnough ? 0.25 : 0.5) ? 'upsert' : 'delete';
  const first = Math.floor(random() * there.length);
  return { table, kind, ids: there.slice(first, first + count), v: n };
}

/** Makes a change; the sequence number of its snapshot, null if there was nothing to do. */
async function attempt(lake: RacingLake, change: Change, mark: string): Promise<number | null> {
  const { engine } = lake;
  const table = idOf(change.table);
  const properties = { [CHANGE_PROPERTY]: mark };
  const ids = change.ids.join(', ');
  const sql = `SELECT id, ${timestamp('id', String(change.v))} AS ts, ${change.v} AS v FROM (SELECT unnest([${ids}])::BIGINT AS id)`;
  const done =
    change.kind === 'append'
      ? await appendSelect(lake, engine, table, { sql, properties })
      : change.kind === 'upsert'
        ? await upsertSelect(lake, engine, table, { sql, keys: ['id'], properties })
        : await deleteWhere(lake, engine, table, { where: `id IN (${ids})`, properties });
  return done.staged?.snapshot['sequence-number'] ?? null;
}

/** After an error: the sequence number of the snapshot that the change made all the same; null if there is none. */
async function sequenceOf(lake: RacingLake, table: RacedTable, mark: string): Promise<number | null> {
  for (;;) {
    try {
      const { metadata } = await lake.catalog.loadTable(idOf(table));
      const made = metadata.snapshots.find(({ summary }) => summary[CHANGE_PROPERTY] === mark);
      return made?.['sequence-number'] ?? null;
    } catch (error) {
      if (!isKind(error, 'unavailable')) throw error;
    }
  }
}
