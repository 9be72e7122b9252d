import { expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { race } from './race.ts';

/** Seconds: 20 by default, 60 in CI, 600 by `npm run test:soak`. */
const SECONDS = Number(process.env['LAKE_RACE_SECONDS'] ?? 20);
const SEED = Number(process.env['LAKE_RACE_SEED'] ?? systemClock.now() % 1_000_000);

/** From this length on a race must have had enough of everything. */
const SOAK_SECONDS = 300;
/** How often each thing happens in a minute at the least, on two busy cores. */
const LEAST = {
  append: 10,
  upsert: 5,
  delete: 5,
  move: 2,
  rewrite: 2,
  expire: 2,
  orphans: 2,
  tag: 5,
  'snapshots compared as they came': 20,
};

it(`four writers, moves, rewrites, tags, expiry and orphan removal for ${SECONDS} s: every snapshot equals the model`, {
  timeout: SECONDS * 1000 + 900_000,
}, async () => {
  const { counts, wrong } = await race({ seed: SEED, durationMs: SECONDS * 1000 });
  process.stdout.write(`race, seed ${SEED}: ${JSON.stringify(counts)}\n`);
  expect(wrong, `LAKE_RACE_SEED=${SEED}`).toEqual([]);
  // A short race on a busy machine may be over before the slower ones win (a rewrite loses to every commit that comes first); the writers it always has.
  const least = SECONDS < SOAK_SECONDS ? { append: 1 } : LEAST;
  for (const [kind, aMinute] of Object.entries(least)) {
    // After the first minute half its pace will do: other work may come between, but each minute has to bring some.
    const times = SECONDS < SOAK_SECONDS ? aMinute : Math.floor((aMinute * (60 + SECONDS)) / 120);
    expect(counts[kind] ?? 0, `${kind}, seed ${SEED}`).toBeGreaterThanOrEqual(times);
  }
});
