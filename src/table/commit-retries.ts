/** How a commit that met a conflict is tried again. Times in ms. */
export interface CommitRetries {
  /** Attempts after the first. */
  readonly retries: number;
  readonly minWaitMs: number;
  readonly maxWaitMs: number;
  /** No attempt is begun later than this after the first one. */
  readonly totalTimeoutMs: number;
}

/** Shorter waits and more attempts than Iceberg Java's (4, from 100 ms to 60 s): the catalog is near, and derives quickly. */
const DEFAULTS: CommitRetries = {
  retries: 10,
  minWaitMs: 25,
  maxWaitMs: 5_000,
  totalTimeoutMs: 1_800_000,
};

/** A timer that is set for longer goes off at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The rules of a table by its properties `commit.retry.*` (spec: "Table behavior properties"); one that is no count keeps the default: a commit is not refused for it. Pure. */
export function commitRetries(properties: Readonly<Record<string, string>>): CommitRetries {
  const count = (name: string, fallback: number): number => {
    const text = Object.hasOwn(properties, `commit.retry.${name}`) ? properties[`commit.retry.${name}`] : '';
    return /^\d+$/.test(text?.trim() ?? '') ? Number(text) : fallback;
  };
  const totalTimeoutMs = count('total-timeout-ms', DEFAULTS.totalTimeoutMs);
  const wait = (name: string, fallback: number): number =>
    Math.min(count(name, fallback), totalTimeoutMs, LONGEST_TIMER_MS);
  const minWaitMs = wait('min-wait-ms', DEFAULTS.minWaitMs);
  return {
    retries: count('num-retries', DEFAULTS.retries),
    minWaitMs,
    maxWaitMs: Math.max(minWaitMs, wait('max-wait-ms', DEFAULTS.maxWaitMs)),
    totalTimeoutMs,
  };
}

/**
 * How long to wait after a failed attempt, ms: between the shortest wait and a longest that doubles with each attempt, by chance, so that writers who met do
 * not meet again. Pure.
 *
 * @param attempt counted from 1
 * @param random in [0, 1)
 */
export function waitAfter(attempt: number, { minWaitMs, maxWaitMs }: CommitRetries, random: number): number {
  const longest = Math.min(minWaitMs * 2 ** attempt, maxWaitMs);
  return Math.round(minWaitMs + (longest - minWaitMs) * random);
}
