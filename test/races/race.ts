import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { systemClock } from '../../src/clock.ts';
import { isKind, LakeError } from '../../src/errors.ts';
import type { TableMetadata } from '../../src/iceberg/table-metadata.ts';
import { DISTURBERS } from './disturbers.ts';
import { type Answer, Answers } from './first-answers.ts';
import { expectedAt, seeded } from './race-model.ts';
import {
  createRacedTable,
  idOf,
  openRacingLake,
  type RacedTable,
  type RacingLake,
  rowsAt,
  TABLES,
} from './racing-lake.ts';
import type { WriterReport } from './writer.ts';

const WRITER_PROCESS = join(import.meta.dirname, 'writer-process.ts');
/** Four writers in two processes. */
const PROCESSES = [
  [1, 2],
  [3, 4],
] as const;

/** What a race came to. */
export interface RaceReport {
  readonly seed: number;
  /** How often each thing happened. */
  readonly counts: Readonly<Record<string, number>>;
  /** What went otherwise than it should; empty, if all is well. */
  readonly wrong: readonly string[];
}

/** Lets writers and disturbers loose on two tables for a while, then compares every snapshot with the model of the writers. */
export async function race(options: {
  readonly seed: number;
  readonly durationMs: number;
}): Promise<RaceReport> {
  const root = await mkdtemp(join(tmpdir(), 'lake race '));
  const lake = await openRacingLake(root);
  try {
    for (const name of TABLES) await createRacedTable(lake, name);
    return await raceOn(lake, options.seed, lake.clock.now() + options.durationMs);
  } finally {
    await lake.close();
    await rm(root, { recursive: true, force: true });
  }
}

async function raceOn(lake: RacingLake, seed: number, untilMs: number): Promise<RaceReport> {
  const counts: Record<string, number> = {};
  const wrong: string[] = [];
  const count = (what: string) => {
    counts[what] = (counts[what] ?? 0) + 1;
  };
  const answers = new Answers(lake);
  const [reports] = await Promise.all([
    Promise.all(PROCESSES.map((writers) => writerProcess(lake.root, seed, untilMs, writers))),
    ...Object.entries(DISTURBERS).map(([name, { once, pauseMs }], at) => {
      const random = seeded(seed + 1000 + at);
      return repeat({ untilMs, name, pauseMs, once: () => once(lake, random, answers) }, count, wrong);
    }),
    repeat({ untilMs, name: 'check', pauseMs: 50, once: () => answers.readNew() }, count, wrong),
  ]);
  const changes = reports.flat().flatMap((report) => report.changes);
  for (const { kind } of changes) count(kind);
  for (const one of reports.flat().flatMap((report) => report.refused)) count(`refused ${one.split(' ')[1]}`);
  for (const name of TABLES) {
    const own = answers.all.filter((answer) => answer.name === name);
    const { metadata } = await lake.catalog.loadTable(idOf(name));
    const made = changes.filter((change) => change.table === name).map(({ sequence }) => sequence);
    const kept = metadata.snapshots.map((snapshot) => snapshot['sequence-number']);
    const read = new Set([...own.map(({ sequence }) => sequence), ...kept]);
    for (const sequence of made)
      if (!read.has(sequence)) wrong.push(`${name}: the snapshot ${sequence} expired unread`);
    const expected = expectedAt(changes, name, [...read]);
    wrong.push(...answersWrong(own, expected, count));
    wrong.push(...(await compare(lake, { name, metadata }, expected, count)));
  }
  return { seed, counts, wrong };
}

async function writerProcess(
  root: string,
  seed: number,
  untilMs: number,
  writers: readonly number[],
): Promise<WriterReport[]> {
  const args = ['--disable-warning=ExperimentalWarning', WRITER_PROCESS, root, seed, untilMs, ...writers];
  const { stdout } = await promisify(execFile)(process.execPath, args.map(String), { maxBuffer: 1 << 28 });
  return JSON.parse(stdout);
}

/** Does something over and over. Losing to others is part of a race; anything else is wrong. */
async function repeat(
  work: {
    readonly untilMs: number;
    readonly name: string;
    readonly pauseMs: number;
    readonly once: () => Promise<boolean>;
  },
  count: (what: string) => void,
  wrong: string[],
): Promise<void> {
  const { untilMs, name, pauseMs, once } = work;
  while (systemClock.now() < untilMs) {
    try {
      if (await once()) count(name);
    } catch (error) {
      if (isKind(error, 'conflict', 'stale-plan', 'already-exists')) count(`${name} lost`);
      else if (isKind(error, 'not-found')) count(`${name} read what had been deleted`);
      else
        wrong.push(
          `${name}: ${error instanceof LakeError ? `${error.kind} ${error.message} ${error.where ?? ''}` : error}`,
        );
    }
    await systemClock.sleep(pauseMs);
  }
}

/** What is wrong with the answers that a table's snapshots gave during the race. */
function answersWrong(
  answers: readonly Answer[],
  expected: ReadonlyMap<number, string>,
  count: (what: string) => void,
): string[] {
  const wrong: string[] = [];
  const before = new Set<bigint>();
  for (const { name, snapshotId, sequence, rows } of answers) {
    const isAgain = before.has(snapshotId);
    before.add(snapshotId);
    const wanted = expected.get(sequence) ?? '';
    const when = isAgain ? 'read after a move' : 'read at once';
    if (rows !== wanted)
      wrong.push(`${name} ${snapshotId}, ${when}: ${difference(rows, wanted)} from the model`);
    count(isAgain ? 'snapshots compared again after a move' : 'snapshots compared as they came');
  }
  return wrong;
}

/** What is wrong with a table's snapshots at the end, against the model. */
async function compare(
  lake: RacingLake,
  { name, metadata }: { readonly name: RacedTable; readonly metadata: TableMetadata },
  expectedRows: ReadonlyMap<number, string>,
  count: (what: string) => void,
): Promise<string[]> {
  const wrong: string[] = [];
  for (const snapshot of metadata.snapshots) {
    const rows = (await rowsAt(lake, name, { snapshotId: snapshot['snapshot-id'] })).join();
    const expected = expectedRows.get(snapshot['sequence-number']) ?? '';
    const what = `${name}, snapshot ${snapshot['snapshot-id']} (${JSON.stringify(snapshot.summary)})`;
    if (rows !== expected) wrong.push(`${what}: ${difference(rows, expected)} from the model`);
    count('snapshots compared at the end');
  }
  return wrong;
}

function difference(rows: string, expected: string): string {
  const [there, wanted] = [rows.split(','), expected.split(',')];
  const missing = wanted.filter((row) => !there.includes(row)).slice(0, 5);
  const extra = there.filter((row, at) => !wanted.includes(row) || there.indexOf(row) !== at).slice(0, 5);
  return `${there.length} rows, not ${wanted.length} (missing ${missing}; too many ${extra})`;
}
