import { isKind, LakeError } from '../errors.ts';
import { addDuration } from './duration.ts';
import { governingPolicy, type MatchedTable } from './match.ts';
import type { Policy, PolicySet, Transition } from './policy-set.ts';

/** What one partition of a table has in one tier; for an unpartitioned table, one file. */
export interface Holding {
  /** `day=2001-01-05`; empty for an unpartitioned table. */
  readonly partition: string;
  readonly tier: string;
  /** Data files that any retained snapshot reads. */
  readonly files: number;
  readonly bytes: number;
  readonly records: number;
  /** From when the data ages, ms since 1970 UTC; null if that is not known. */
  readonly endMs: number | null;
  /** Why it is not known. */
  readonly unknown?: string;
  /** The data files. */
  readonly paths: readonly string[];
}

/** Partitions that were brought back by hand: no policy moves them before `untilMs`. */
export interface Pin {
  readonly partitions: ReadonlySet<string>;
  /** Ms since 1970 UTC. */
  readonly untilMs: number;
}

export interface TableState extends MatchedTable {
  /** Why the governing policy's age can be told of none of the table's data; null if it can. */
  readonly cannotAge: string | null;
  readonly pins: readonly Pin[];
  readonly holdings: readonly Holding[];
}

export interface PlannedMove {
  readonly table: string;
  readonly partition: string;
  readonly from: string;
  readonly to: string;
  readonly files: number;
  readonly bytes: number;
  readonly reason: string;
  /** The data files to be moved, in no order. */
  readonly paths: readonly string[];
}

export interface KeptPartition {
  readonly table: string;
  readonly partition: string;
  readonly tier: string;
  readonly reason: string;
}

/** What governs each table of a plan. */
export interface GovernedTable {
  readonly table: string;
  readonly policy: string;
  readonly grace_ms: number;
}

export interface TierPlan {
  readonly moves: readonly PlannedMove[];
  readonly kept: readonly KeptPartition[];
  readonly tables: readonly GovernedTable[];
}

/** In `kept`, all partitions of a table in one tier, where one reason holds for the whole table. */
export const WHOLE_TABLE = '*';
const DAY_MS = 86_400_000;

/**
 * What the policies want moved at `nowMs`, and why the rest stays. Pure: no clock, no I/O. Data whose age is not known stays.
 *
 * @param known problems that were found before, to be reported with the rest
 * @throws LakeError `invalid-file` with all ties of policies, and all policies with transitions that cannot age a table they match
 */
export function evaluatePolicies(
  set: PolicySet,
  tables: readonly TableState[],
  nowMs: number,
  known: readonly LakeError[] = [],
): TierPlan {
  const problems = [...known];
  const planned = tables.flatMap((table) => {
    try {
      return [evaluateTable(set, table, nowMs)];
    } catch (error) {
      if (!isKind(error, 'invalid-file')) throw error;
      problems.push(error);
      return [];
    }
  });
  throwAll(problems);
  return {
    moves: planned.flatMap((one) => one.moves),
    kept: planned.flatMap((one) => one.kept),
    tables: planned.flatMap((one) => one.tables),
  };
}

function throwAll(problems: readonly LakeError[]): void {
  const [first] = problems;
  if (first === undefined) return;
  if (problems.length === 1) throw first;
  const lines = problems.map(({ where, message, hint }) => `${where}: ${message}${hint ? ` (${hint})` : ''}`);
  throw new LakeError('invalid-file', `${problems.length} problems:\n${lines.join('\n')}`, {
    ...(first.where === undefined ? {} : { where: first.where }),
    hint: 'mend each of them and run the command again; nothing was done',
  });
}

function evaluateTable(set: PolicySet, table: TableState, nowMs: number): TierPlan {
  const policy = governingPolicy(set, table);
  if (policy === null || policy.transitions.length === 0) {
    const reason = policy === null ? 'no policy matches' : `${policy.name}: no transitions`;
    return { moves: [], kept: keptWhole(table, reason), tables: [] };
  }
  if (table.cannotAge !== null) throw cannotAge(policy, table, table.cannotAge);
  const moves = new Map<string, GrowingMove>();
  const kept = new Map<string, KeptPartition>();
  for (const holding of table.holdings) {
    const decided = decide(set, policy, table, holding, nowMs);
    const { partition, tier } = holding;
    if ('to' in decided) {
      const key = JSON.stringify([partition, tier, decided.to]);
      const move = moves.get(key);
      if (move === undefined) moves.set(key, newMove(table.table, holding, decided));
      else grow(move, holding, decided);
    } else {
      const one = { table: table.table, partition, tier, reason: decided.reason };
      kept.set(JSON.stringify(one), one);
    }
  }
  const governed = { table: table.table, policy: policy.name, grace_ms: policy.graceMs };
  const plain = [...moves.values()].map(({ dueMs: _due, ...move }) => move);
  return { moves: plain, kept: [...kept.values()], tables: [governed] };
}

/** A move that files of an unpartitioned table are added to. */
type GrowingMove = {
  -readonly [K in Exclude<keyof PlannedMove, 'paths'>]: PlannedMove[K];
} & { paths: string[]; dueMs: number };

function newMove(table: string, holding: Holding, { to, reason, dueMs }: Due): GrowingMove {
  const { partition, tier, files, bytes, paths } = holding;
  return { table, partition, from: tier, to, files, bytes, reason, paths: [...paths], dueMs };
}

/** The files of an unpartitioned table that go the same way are one move; its reason is that of the youngest. */
function grow(move: GrowingMove, { files, bytes, paths }: Holding, { reason, dueMs }: Due): void {
  move.files += files;
  move.bytes += bytes;
  for (const path of paths) move.paths.push(path);
  if (dueMs <= move.dueMs) return;
  move.reason = reason;
  move.dueMs = dueMs;
}

/** The policy that governs a table and the age of a partition in whole days, for a report. */
export function ageInDays(endMs: number | null, nowMs: number): number | null {
  return endMs === null ? null : Math.floor((nowMs - endMs) / DAY_MS);
}

/** A move that is due, since when, ms since 1970. */
interface Due {
  readonly to: string;
  readonly reason: string;
  readonly dueMs: number;
}

/** What the governing policy wants of one holding at `nowMs`: a move, or why it stays. Pure. */
export function decide(
  set: PolicySet,
  policy: Policy,
  { pins }: Pick<TableState, 'pins'>,
  holding: Holding,
  nowMs: number,
): Due | { readonly reason: string } {
  const { endMs } = holding;
  const pinnedMs = Math.max(
    ...pins.filter(({ partitions }) => partitions.has(holding.partition)).map(({ untilMs }) => untilMs),
  );
  if (pinnedMs > nowMs) return { reason: `restored: stays until ${timeOf(pinnedMs)}` };
  if (endMs === null)
    return { reason: `${policy.name}: ${holding.unknown ?? 'the partition tells no time'}` };
  const due = policy.transitions.filter((one) => dueAt(endMs, one) <= nowMs).at(-1);
  const next = policy.transitions.find((one) => dueAt(endMs, one) > nowMs);
  const rank = set.tiers.indexOf(holding.tier);
  if (due !== undefined && set.tiers.indexOf(due.to) > rank) {
    const dueMs = dueAt(endMs, due);
    return {
      to: due.to,
      reason: `${policy.name}: ${due.to} after ${due.afterText}, since ${dayOf(dueMs)}`,
      dueMs,
    };
  }
  if (next === undefined || set.tiers.indexOf(next.to) <= rank) {
    return { reason: `${policy.name}: nothing colder is due` };
  }
  return { reason: `${policy.name}: ${next.to} after ${next.afterText}, on ${dayOf(dueAt(endMs, next))}` };
}

function dueAt(endMs: number, transition: Transition): number {
  return addDuration(endMs, transition.after);
}

function dayOf(ms: number): string {
  return timeOf(ms).replace(/T.*/, '');
}

function timeOf(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime())
    ? 'a day beyond the calendar'
    : date.toISOString().replace(/\.\d+Z$/, 'Z');
}

function keptWhole(table: TableState, reason: string): KeptPartition[] {
  const tiers = new Set(table.holdings.map((holding) => holding.tier));
  return [...tiers].map((tier) => ({ table: table.table, partition: WHOLE_TABLE, tier, reason }));
}

function cannotAge(policy: Policy, { table }: TableState, why: string): LakeError {
  return new LakeError(
    'invalid-file',
    `policy "${policy.name}" cannot age ${table}, which it matches: ${why}`,
    {
      where: policy.where,
      hint:
        policy.age.by === 'partition'
          ? `exclude ${table}, or write age: { column: NAME } or age: { from: commit }`
          : `exclude ${table} from the policy, or age it otherwise`,
    },
  );
}
