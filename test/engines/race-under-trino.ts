import { systemClock } from '../../src/clock.ts';
import type { Lake } from '../../src/project/open-lake.ts';
import { createRef } from '../../src/table/tag.ts';
import { seeded } from '../races/race-model.ts';
import { DAYS, KINDS, type Kind, type RacedStatement, racedStatement } from './raced-statements.ts';
import { TableMover } from './table-mover.ts';
import { StatementError, TrinoStatement } from './trino-statement.ts';

/** How long old objects stay: longer than a statement takes. Where a busy machine takes longer for one, it fails and is sent again. */
const GRACE_MS = 8_000;
const DAY_MS = 24 * 3_600_000;
const WRITERS = 2;
/** The chances of the kinds, in per cent. */
const CHANCES: Readonly<Record<Kind, number>> = {
  insert: 30,
  delete: 20,
  update: 22,
  merge: 22,
  optimize: 6,
};

/** What is to have happened at the least before a race may end. */
const LEAST: Readonly<Record<string, number>> = {
  'insert met a swap': 1,
  'delete met a swap': 1,
  'update met a swap': 1,
  'merge met a swap': 1,
  'moved to warm': 1,
  'moved to cold': 1,
  restored: 1,
  tagged: 1,
};

/** Of one statement: a whole race may be over before somebody wins who needs longer than the others. */
const MOST_TRIES = 6;
/** Between two moves: statements have to get through as well. */
const MOST_PAUSE_MS = 3_000;
/** Between two statements of a writer. */
const MOST_BREATH_MS = 5_000;
/** Of a race that will not come to an end. */
const MOST_MS = 900_000;

/** Two writers on Trino and the moves of Lakewarden on one table. */
export class TrinoRace {
  readonly counts: Record<string, number> = {};
  /** By Trino's query id, whatever became of it. */
  readonly sent = new Map<string, RacedStatement>();
  /** Those that Trino said were done, and changed rows. */
  readonly done: string[] = [];
  /** Those that Trino said have failed, and its words. */
  readonly failed = new Map<string, string>();
  /** What should not have happened. */
  readonly wrong: string[] = [];
  readonly mover: TableMover;
  readonly #lake: Lake;
  readonly #table: { readonly namespace: string; readonly name: string };
  readonly #seed: number;
  readonly #startedMs = systemClock.now();
  readonly #durationMs: number;
  #number = 100;

  constructor(
    lake: Lake,
    table: { readonly namespace: string; readonly name: string },
    { seed, durationMs }: { readonly seed: number; readonly durationMs: number },
  ) {
    this.#lake = lake;
    this.#table = table;
    this.#seed = seed;
    this.#durationMs = durationMs;
    this.mover = new TableMover(lake, this.#identifier, { graceMs: GRACE_MS });
  }

  /** Runs for as long as told, and until all kinds have met a move. */
  async run(): Promise<void> {
    const guarded = (work: Promise<void>) =>
      work.catch((error: unknown) => {
        this.wrong.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
      });
    const writers = Array.from({ length: WRITERS }, (_, at) => guarded(this.#write(at + 1)));
    await Promise.all([...writers, guarded(this.#move())]);
  }

  /** What has not happened often enough: nothing, but where the race took too long. */
  get lacking(): readonly string[] {
    return Object.keys(LEAST).filter((what) => this.#lacks(what));
  }

  get #identifier() {
    return { namespace: [this.#table.namespace], name: this.#table.name };
  }

  get #passedMs(): number {
    return systemClock.now() - this.#startedMs;
  }

  #isOver(): boolean {
    if (this.wrong.length > 0 || this.#passedMs > MOST_MS) return true;
    return this.#passedMs >= this.#durationMs && this.lacking.length === 0;
  }

  #lacks(what: string): boolean {
    return (this.counts[what] ?? 0) < (LEAST[what] ?? 0);
  }

  #count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  async #write(writer: number): Promise<void> {
    const random = seeded(this.#seed * 31 + writer);
    while (!this.#isOver()) {
      const statement = racedStatement(random, this.#nextKind(random), this.#number++);
      const before = this.mover.swaps;
      // Without a breath between statements no move, which reads all of the history anew, would come first.
      await systemClock.sleep(random() * MOST_BREATH_MS);
      let isDone = false;
      // Somebody who gets an error sends the statement again.
      for (let tries = 0; tries < MOST_TRIES && !isDone; tries++) isDone = await this.#send(statement);
      if (!isDone) this.#count('given up');
      else if (this.mover.swaps > before) this.#count(`${statement.kind} met a swap`);
    }
  }

  /** At random; past the time only what has not met a swap yet. */
  #nextKind(random: () => number): Kind {
    const wanted = KINDS.filter((kind) => this.#lacks(`${kind} met a swap`));
    const chance = random();
    if (this.#passedMs < this.#durationMs || wanted.length === 0) return kindOf(chance * 100);
    return wanted[Math.floor(chance * wanted.length)] ?? 'insert';
  }

  /** True if it went through. */
  async #send(statement: RacedStatement): Promise<boolean> {
    const { namespace, name } = this.#table;
    const running = await TrinoStatement.start(statement.sql.replace('{table}', `lake.${namespace}.${name}`));
    this.sent.set(running.id, statement);
    try {
      const [[changed] = []] = await running.rest();
      this.#count(statement.kind);
      if (Number(changed) > 0) this.done.push(running.id);
      return true;
    } catch (error) {
      if (!(error instanceof StatementError)) throw error;
      this.failed.set(running.id, error.message);
      this.#count(`failed: ${error.errorName}`);
      return false;
    }
  }

  async #move(): Promise<void> {
    const random = seeded(this.#seed * 31);
    for (let n = 0; !this.#isOver(); n++) {
      await systemClock.sleep(random() * MOST_PAUSE_MS);
      this.#count((await moveOnce(this.mover, random, n)) ?? 'moved nothing');
      if (n % 2 === 0) continue;
      await createRef(this.#lake, this.#identifier, { name: `tag-${n}` });
      this.#count('tagged');
    }
  }
}

function kindOf(chance: number): Kind {
  let left = chance;
  for (const kind of KINDS) {
    left -= CHANCES[kind];
    if (left < 0) return kind;
  }
  return 'insert';
}

/** The `n`th of a race's moves: some days to warm, some to cold, some back to hot. Its writers make every day hot again, in part. */
async function moveOnce(mover: TableMover, random: () => number, n: number): Promise<string | null> {
  const day = Math.floor(random() * DAYS.length);
  if (n % 3 === 2) {
    const done = await mover.restore(`${DAYS[day]}..${DAYS.at(-1)}`).catch((error: unknown) => {
      // No row of these days is left, or none of their files by the time of the swap.
      if (error instanceof Error && /has no partition|other commits came first/.test(error.message))
        return null;
      throw error;
    });
    return done?.state === 'swapped' ? 'restored' : null;
  }
  // What keeps a restored partition hot is by the wall clock: the policy's day is later. The first days, up to the chosen one, are of this age then.
  const todayMs = systemClock.now() + DAY_MS;
  const chosenMs = Date.parse(`${DAYS[day]}T00:00:00Z`) + DAY_MS;
  const age = Math.floor((todayMs - chosenMs) / DAY_MS);
  const [tier, after] =
    n % 3 === 0
      ? ['warm', { warm: `${age}d`, cold: `${age + 60}d` }]
      : ['cold', { warm: `${age - DAYS.length}d`, cold: `${age}d` }];
  const done = await mover.byPolicy(todayMs, after);
  return done.some(({ state }) => state === 'swapped') ? `moved to ${tier}` : null;
}
