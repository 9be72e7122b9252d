import { z } from 'zod';
import { isKind } from '../errors.ts';
import { parseJson } from '../iceberg/json.ts';
import { MAIN_BRANCH } from '../iceberg/refs.ts';
import type { TableMetadata } from '../iceberg/table-metadata.ts';
import { FENCE_PROPERTY } from './protocol.ts';
import { retainedAncestry } from './staged-work.ts';

/**
 * When data was first committed, for `age: { from: commit }`. Moves keep a file's sequence numbers, and commits are ordered by
 * them: the first known commit with the same or a higher number is no earlier than the file's own. So what is known is an upper bound,
 * and data never counts as older than it is. Expiry takes snapshots away, so a table property remembers the last commit of each day,
 * and of compactions the commit times of what they replaced.
 */
export const COMMIT_TIMES_PROPERTY = 'lake.commit-times';

/** Bounds of what is remembered: days (the oldest go first), and partitions of compactions. */
const MOST_DAYS = 1500;
const MOST_REPLACED = 1500;
const DAY_MS = 86_400_000;

/** Everything that is known of a table's commit times. */
export interface CommitTimes {
  /** Commits by ascending sequence number; times (ms since 1970) never go back. */
  readonly commits: readonly CommitPoint[];
  /** What compactions replaced: by their sequence number and partition the newest commit among it. `*` holds for all partitions. */
  readonly replaced: ReadonlyMap<number, ReadonlyMap<string, number>>;
  /** No data of the table is newer. */
  readonly latestMs: number;
}

export interface CommitPoint {
  readonly sequenceNumber: number;
  readonly ms: number;
}

/** What tells a file's origin; both numbers stay when it moves. */
export interface FileOrigin {
  readonly sequenceNumber: number;
  readonly fileSequenceNumber: number;
}

const recordSchema = z.object({
  version: z.literal(1),
  days: z.array(z.tuple([z.int(), z.int()])),
  replaced: z.record(z.string().regex(/^\d+$/), z.record(z.string(), z.int())),
});

/** In `replaced`, the partitions that are not named. */
export const ANY_PARTITION = '*';

/** What the retained snapshots and the table's property tell. Pure. */
export function commitTimes(metadata: TableMetadata): CommitTimes {
  const { days, replaced } = remembered(metadata);
  const points = [...days, ...retainedCommits(metadata)].sort((a, b) => a.sequenceNumber - b.sequenceNumber);
  return { commits: rising(points), replaced, latestMs: metadata['last-updated-ms'] };
}

/** No earlier than the first commit of the file's data, ms since 1970. */
export function firstCommitMs(times: CommitTimes, file: FileOrigin, partition: string): number {
  const known = times.replaced.get(file.fileSequenceNumber);
  const before = known?.get(partition) ?? known?.get(ANY_PARTITION);
  const own = commitNotBefore(times.commits, file.sequenceNumber) ?? times.latestMs;
  return before === undefined ? own : Math.min(before, own);
}

/**
 * The property's new value, or null if it says all of this already. Pure.
 *
 * @param live file sequence numbers of the table's live files: compactions that made none of them are forgotten
 */
export function rememberedCommitTimes(
  times: CommitTimes,
  metadata: TableMetadata,
  live: ReadonlySet<number>,
): string | null {
  const lastOfDay = new Map<number, CommitPoint>();
  for (const point of times.commits) lastOfDay.set(Math.floor(point.ms / DAY_MS), point);
  const days = [...lastOfDay.values()].slice(-MOST_DAYS);
  const said = remembered(metadata);
  const dayOf = ({ ms }: CommitPoint) => Math.floor(ms / DAY_MS);
  // The last day grows with each commit; that alone is written once a day.
  const newDays = days.some((day) => !said.days.some((old) => dayOf(old) === dayOf(day)));
  const replaced = bounded([...times.replaced].filter(([at]) => live.has(at)));
  const newReplaced = [...replaced.keys()].some((at) => !said.replaced.has(at));
  if (!newDays && !newReplaced) return null;
  return JSON.stringify({
    version: 1,
    days: days.map(({ sequenceNumber, ms }) => [sequenceNumber, ms]),
    replaced: Object.fromEntries([...replaced].map(([at, times]) => [at, Object.fromEntries(times)])),
  });
}

/** The newest compactions, up to the bound. What is forgotten counts from the compaction. */
function bounded(
  replaced: readonly (readonly [number, ReadonlyMap<string, number>])[],
): Map<number, ReadonlyMap<string, number>> {
  const kept = new Map<number, ReadonlyMap<string, number>>();
  let room = MOST_REPLACED;
  for (const [at, times] of [...replaced].sort(([a], [b]) => b - a)) {
    room -= times.size;
    if (room < 0) break;
    kept.set(at, times);
  }
  return kept;
}

function remembered({ properties }: TableMetadata) {
  const record = parsedRecord(properties[COMMIT_TIMES_PROPERTY]);
  return {
    days: (record?.days ?? []).map(([sequenceNumber, ms]): CommitPoint => ({ sequenceNumber, ms })),
    replaced: new Map(
      Object.entries(record?.replaced ?? {}).map(([at, times]) => [
        Number(at),
        new Map(Object.entries(times)),
      ]),
    ),
  };
}

/** A record that cannot be read is as good as none: data then counts as younger. */
function parsedRecord(text: string | undefined): z.infer<typeof recordSchema> | null {
  if (text === undefined) return null;
  try {
    return recordSchema.safeParse(parseJson(text)).data ?? null;
  } catch (error) {
    if (isKind(error, 'corrupt', 'invalid-argument')) return null;
    throw error;
  }
}

/** Fences of side branches bear the time of another snapshot; those of main their own. Numbers of v1 tables are all 0. */
function retainedCommits(metadata: TableMetadata): CommitPoint[] {
  const head = metadata.refs[MAIN_BRANCH]?.['snapshot-id'];
  const main = new Set(
    head === undefined ? [] : retainedAncestry(metadata, head).map((one) => one['snapshot-id']),
  );
  return metadata.snapshots
    .filter((one) => one.summary[FENCE_PROPERTY] === undefined || main.has(one['snapshot-id']))
    .filter((one) => one['sequence-number'] > 0)
    .map((one) => ({ sequenceNumber: one['sequence-number'], ms: one['timestamp-ms'] }));
}

/** Clocks of writers differ: a commit counts no earlier than one before it. */
function rising(points: readonly CommitPoint[]): CommitPoint[] {
  let highest = 0;
  const bySequence = new Map<number, number>();
  for (const { sequenceNumber, ms } of points) {
    highest = Math.max(highest, ms);
    bySequence.set(sequenceNumber, highest);
  }
  return [...bySequence].map(([sequenceNumber, ms]) => ({ sequenceNumber, ms }));
}

function commitNotBefore(commits: readonly CommitPoint[], sequenceNumber: number): number | null {
  let [low, high] = [0, commits.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (commits[middle]!.sequenceNumber < sequenceNumber) low = middle + 1;
    else high = middle;
  }
  return commits[low]?.ms ?? null;
}
