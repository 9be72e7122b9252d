import { randomBytes, randomUUID } from 'node:crypto';

/** Time, ids and randomness, handed in wherever they are needed, so that tests decide them. */
export interface Clock {
  /** Wall-clock time, milliseconds since 1970-01-01T00:00Z. */
  now(): number;
  /** A new random UUID in canonical text. */
  uuid(): string;
  /** A new positive 63-bit snapshot id. */
  snapshotId(): bigint;
  /** A uniform number in [0, 1), for back-off jitter. */
  random(): number;
  /** Resolves after `ms` milliseconds. */
  sleep(ms: number): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  uuid: () => randomUUID(),
  snapshotId: () => BigInt.asUintN(63, randomBytes(8).readBigUInt64BE()) || 1n,
  random: () => Math.random(),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};
