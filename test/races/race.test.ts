import { expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { race } from './race.ts';

/** Seconds: 20 by default, 60 in CI, 600 by `npm run test:soak`. */
const SECONDS = Number(process.env['LAKE_RACE_SECONDS'] ?? 20);
const SEED = Number(process.env['LAKE_RACE_SEED'] ?? systemClock.now() % 1_000_000);

it(`four writers, moves, rewrites, tags, expiry and orphan removal for ${SECONDS} s: every snapshot equals the model`, {
  timeout: SECONDS * 1000 + 900_000,
}, async () => {
  const { counts, wrong } = await race({ seed: SEED, durationMs: SECONDS * 1000 });
  process.stdout.write(`race, seed ${SEED}: ${JSON.stringify(counts)}\n`);
  expect(wrong, `LAKE_RACE_SEED=${SEED}`).toEqual([]);
  // A short race on a busy machine may be over before the slower ones win; the writers it always has.
  const always =
    SECONDS < 60 ? ['append'] : ['append', 'upsert', 'delete', 'move', 'rewrite', 'expire', 'orphans'];
  for (const kind of always) expect(counts[kind], `${kind}, seed ${SEED}`).toBeGreaterThan(0);
});
