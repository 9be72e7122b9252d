import { utimes } from 'node:fs/promises';
import { expireTables } from '../../src/maintenance/expire.ts';
import { removeOrphans } from '../../src/maintenance/orphans.ts';
import { localPath } from '../../src/storage/location.ts';
import { planScan } from '../../src/table/scan.ts';
import { openTable } from '../../src/table/table.ts';
import { createRef, removeRef } from '../../src/table/tag.ts';
import { applyPlan, resumeInterrupted } from '../../src/tiering/apply-plan.ts';
import { planMoves } from '../../src/tiering/plan-moves.ts';
import { loadPolicies } from '../../src/tiering/policy-files.ts';
import type { Answers } from './first-answers.ts';
import { DAYS, idOf, quietDay, type RacedTable, type RacingLake, TABLES } from './racing-lake.ts';
import { rewriteFiles } from './rewrite-files.ts';

const DAY = 24 * 3_600_000;
const GRACE_MS = 3_000;
const RULES = { minToKeep: 8, maxAgeMs: 6_000, maxRefAgeMs: 15_000 };

/** What happens to the tables besides their writers, over and over. */
export interface Disturber {
  /** Returns whether it did something. */
  readonly once: (lake: RacingLake, random: () => number, answers: Answers) => Promise<boolean>;
  /** Between two times: cheap ones would else keep the slower ones from winning. */
  readonly pauseMs: number;
}

export const DISTURBERS: Record<string, Disturber> = {
  move: { once: moveFiles, pauseMs: 50 },
  rewrite: { once: rewriteDay, pauseMs: 50 },
  tag: { once: tagOrUntag, pauseMs: 500 },
  expire: { once: expireSnapshots, pauseMs: 300 },
  orphans: { once: ageAndRemoveOrphans, pauseMs: 1_000 },
};

const anyTable = (random: () => number): RacedTable => TABLES[Math.floor(random() * TABLES.length)] ?? 'left';

function policies() {
  const text = `version: 1
policies:
  - { name: old, match: { tables: ["race.*"] }, grace: 1h, age: { from: partition },
      transitions: [ { to: warm, after: 30d }, { to: cold, after: 60d } ] }
`;
  const loaded = loadPolicies([{ file: 'p.yaml', text }], ['hot', 'warm', 'cold']);
  if ('problems' in loaded) throw new Error('the policy was refused');
  return loaded.set;
}

/** By a clock between three weeks and three months after the rows: some days stay hot, some go warm, some cold. */
async function moveFiles(lake: RacingLake, random: () => number): Promise<boolean> {
  await resumeInterrupted(lake);
  const nowMs = Date.parse('2001-01-20T00:00:00Z') + random() * 70 * DAY;
  const plan = await planMoves(lake, policies(), nowMs);
  const short = { ...plan, tables: plan.tables?.map((one) => ({ ...one, grace_ms: GRACE_MS })) ?? [] };
  const { relocations, ledger } = await applyPlan(lake, short, { leaveOutGone: true });
  return relocations.some(({ state }) => state === 'swapped') || ledger.deleted > 0;
}

/** Mostly of a day that writers leave alone for a while; of a busy one it loses, as compaction does. */
async function rewriteDay(lake: RacingLake, random: () => number): Promise<boolean> {
  const day = random() < 0.8 ? quietDay(lake.clock.now()) : Math.floor(random() * DAYS);
  return (await rewriteFiles(lake, anyTable(random), day)) === 'rewritten';
}

async function tagOrUntag(lake: RacingLake, random: () => number): Promise<boolean> {
  const [table, name] = [idOf(anyTable(random)), `tag-${Math.floor(random() * 4)}`];
  const { metadata } = await lake.catalog.loadTable(table);
  if (metadata.snapshots.length === 0) return false;
  if (metadata.refs[name] === undefined) await createRef(lake, table, { name });
  else await removeRef(lake, table, name);
  return true;
}

/** Of a moment until which all that is old enough to go has been read: what came since is too young for it. */
async function expireSnapshots(lake: RacingLake, _random: () => number, answers: Answers): Promise<boolean> {
  const nowMs = lake.clock.now();
  await answers.readOlderThan(nowMs - RULES.maxAgeMs);
  const targets = await Promise.all(
    TABLES.map(async (name) => ({
      table: await lake.catalog.loadTable(idOf(name)),
      rules: RULES,
      policy: null,
    })),
  );
  const { tables } = await expireTables(lake, targets, nowMs);
  return tables.some(({ snapshots }) => snapshots.length > 0);
}

/** Makes files old that the tables name, so that only what names them saves them, and strays that must go. */
async function ageAndRemoveOrphans(lake: RacingLake, random: () => number): Promise<boolean> {
  const table = await openTable(lake, idOf(anyTable(random)));
  const stray = `${table.metadata.location}/data/stray-${lake.clock.uuid()}.parquet`;
  await lake.objects.put(stray, new TextEncoder().encode('stray'));
  const { tasks } = await planScan(table);
  const named = [
    ...table.metadata.snapshots.map((snapshot) => snapshot['manifest-list']),
    ...tasks
      .flatMap((task) => [task.dataFile, ...task.deletes.map((one) => one.dataFile)])
      .map((file) => file.filePath),
  ];
  await Promise.all([stray, ...named].map((location) => makeOld(lake, location)));
  const { refused } = await removeOrphans(lake, { olderThanMs: () => DAY, droppedOlderThanMs: DAY });
  if (refused.length === 0 && (await lake.objects.exists(stray))) throw new Error(`${stray} was not removed`);
  return refused.length === 0;
}

/** One that is gone already is fine. */
async function makeOld(lake: RacingLake, location: string): Promise<void> {
  const time = new Date(lake.clock.now() - 3 * DAY);
  await utimes(localPath(location), time, time).catch(() => {});
}
