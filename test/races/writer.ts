import { isKind } from '../../src/errors.ts';
import { appendSelect } from '../../src/table/append.ts';
import { deleteWhere } from '../../src/table/delete.ts';
import { upsertSelect } from '../../src/table/upsert.ts';
import { type Acknowledged, apply, type Change, idsOf, seeded } from './race-model.ts';
import { idOf, type RacedTable, type RacingLake, TABLES, timestamp } from './racing-lake.ts';

/** In a snapshot's summary: the writer's change that made it. */
const CHANGE_PROPERTY = 'race.change';
/** Ids of one writer. */
const OWN_IDS = 10_000_000;

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
    const change = choose(random, models, nextId, n);
    nextId = Math.max(nextId, change.first + change.count);
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

function choose(
  random: () => number,
  models: ReadonlyMap<RacedTable, ReadonlyMap<number, number>>,
  nextId: number,
  n: number,
): Change {
  const table = TABLES[Math.floor(random() * TABLES.length)] ?? 'left';
  const ids = [...(models.get(table)?.keys() ?? [])];
  const kind = ids.length < 20 || random() < 0.4 ? 'append' : random() < 0.5 ? 'upsert' : 'delete';
  const first = kind === 'append' ? nextId : (ids[Math.floor(random() * ids.length)] ?? nextId);
  const count = 1 + Math.floor(random() * 40);
  return { table, kind, first, count, step: kind === 'append' ? 1 : 1 + Math.floor(random() * 4), v: n };
}

/** Makes a change; the sequence number of its snapshot, null if there was nothing to do. */
async function attempt(lake: RacingLake, change: Change, mark: string): Promise<number | null> {
  const { engine } = lake;
  const table = idOf(change.table);
  const properties = { [CHANGE_PROPERTY]: mark };
  const ids = idsOf(change).join(', ');
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
