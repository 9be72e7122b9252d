import { utimes } from 'node:fs/promises';
import { systemClock } from '../../src/clock.ts';
import { removeOrphans } from '../../src/maintenance/orphans.ts';
import { localPath } from '../../src/storage/location.ts';
import { appendSelect } from '../../src/table/append.ts';
import { deleteWhere } from '../../src/table/delete.ts';
import { overwriteSelect } from '../../src/table/overwrite.ts';
import { allTables } from '../../src/tiering/all-tables.ts';
import { type ApplyReport, applyPlan, resumeInterrupted } from '../../src/tiering/apply-plan.ts';
import { liveReferences } from '../../src/tiering/live-references.ts';
import { planMoves } from '../../src/tiering/plan-moves.ts';
import { loadPolicies } from '../../src/tiering/policy-files.ts';
import type { RelocationStep } from '../../src/tiering/protocol.ts';
import { lake as cli } from '../cli/recorded-terminal.ts';
import {
  allObjects,
  append,
  createTable,
  evolve,
  type MovingLake,
  nameOf,
  remove,
  tag,
} from '../tiering/moving-lake.ts';

export const HOUR = 3_600_000;

/** Days 1 and 2 are aged for warm then. */
export const AT_WARM = Date.parse('2001-02-02T00:00:00Z');
/** All days are aged for warm, days 1 and 2 for cold. */
export const AT_COLD = Date.parse('2001-03-04T00:00:00Z');

const POLICY = `version: 1
policies:
  - { name: facts, match: { tables: ["gold.moved"] }, grace: 1h, age: { from: partition },
      transitions: [ { to: warm, after: 30d }, { to: cold, after: 60d } ] }
`;

export function policies() {
  const loaded = loadPolicies([{ file: 'p.yaml', text: POLICY }], ['hot', 'warm', 'cold']);
  if ('problems' in loaded) throw new Error('the policy was refused');
  return loaded.set;
}

/** What `lake tier apply` does: interrupted work first, then a plan of its own, then the ledger. */
export async function tierApply(
  lake: MovingLake,
  nowMs: number,
  at: (step: RelocationStep) => void = () => {},
): Promise<ApplyReport> {
  const faults = { at: async (step: RelocationStep) => at(step) };
  const resumed = await resumeInterrupted(lake, { faults });
  const report = await applyPlan(lake, await planMoves(lake, policies(), nowMs), { faults });
  return { ...report, resumed: [...resumed, ...report.resumed] };
}

const DAY = 24 * HOUR;

/**
 * What `lake orphans` leaves that nothing names, two days later: no live snapshot, no metadata log.
 *
 * @returns locations; none, if all is well
 */
export async function leftByOrphanRemoval(lake: MovingLake): Promise<string[]> {
  lake.pass(2 * DAY);
  // A clock that runs ahead makes no file older: the store's own times count.
  const age = new Date(systemClock.now() - 2 * DAY);
  for (const location of await allObjects(lake)) await utimes(localPath(location), age, age);
  const { refused } = await removeOrphans(lake, { olderThanMs: () => DAY, droppedOlderThanMs: DAY });
  if (refused.length > 0) throw new Error(JSON.stringify(refused));
  const there = await allObjects(lake);
  const { named } = await liveReferences(lake, there);
  const logged = new Set<string>();
  for await (const { metadata } of allTables(lake.catalog))
    for (const entry of metadata['metadata-log']) logged.add(entry['metadata-file']);
  return there.filter((location) => !named.has(location) && !logged.has(location));
}

/** A table of four days with position deletes over several files, an evolved schema, a tag and a branch that went its own way. */
export async function fillTable(lake: MovingLake, name: string): Promise<void> {
  await createTable(lake, name);
  await append(lake, name, 0, 16);
  await append(lake, name, 16, 16);
  await remove(lake, name, 'id % 10 = 3');
  await tag(lake, name, 'january');
  await tag(lake, name, 'audit', 'branch');
  await evolve(lake, name);
  await append(lake, name, 32, 8, 'evolved');
}

const NEW_ROWS = `SELECT i::BIGINT AS id, TIMESTAMPTZ '2001-01-01 06:00:00+00' + (i % 2) * INTERVAL 1 DAY AS ts,
  'new' AS remark, i * 0.5 AS price FROM range(900, 906) r(i)`;

/** The commits that are killed, on `gold.moved`. */
export const COMMITS = {
  append: (lake: MovingLake, table: string) =>
    appendSelect(lake, lake.engine, nameOf(table), { sql: NEW_ROWS }),
  overwrite: (lake: MovingLake, table: string) =>
    overwriteSelect(lake, lake.engine, nameOf(table), { sql: NEW_ROWS }),
  delete: (lake: MovingLake, table: string) =>
    deleteWhere(lake, lake.engine, nameOf(table), { where: 'id % 7 = 2' }),
} as const;

export type CommitName = keyof typeof COMMITS;

/** What a process that is to be killed does. */
export type Work =
  | { readonly kind: 'commit'; readonly commit: CommitName }
  | { readonly kind: 'move' }
  | { readonly kind: 'command'; readonly argv: readonly string[] };

export interface Job {
  /** The folder of the lake, or of the project of a command. */
  readonly root: string;
  readonly work: Work;
  /** How far the lake's clock is ahead of the wall clock. */
  readonly aheadMs: number;
  readonly killAt?: string;
}

/** Does a command in this process, as `lake` would. */
export async function doCommand(root: string, argv: readonly string[]): Promise<void> {
  const { code, stdout, stderr } = await cli(root, argv);
  if (code !== 0) throw new Error(`lake ${argv.join(' ')} ended with ${code}:\n${stdout}${stderr}`);
}
