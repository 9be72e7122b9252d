import { expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { fuzz } from './fuzz-run.ts';

const REQUESTS = Number(process.env['LAKE_FUZZ_REQUESTS'] ?? 2000);
const SEED = Number(process.env['LAKE_FUZZ_SEED'] ?? systemClock.now() % 2 ** 31);
const MOST_HEAP_GROWTH = 400 * 1024 * 1024;

it(`${REQUESTS} random requests: no failure of the server, no location outside, no table lost`, {
  // As many as there is time for: the number of requests is the limit.
  timeout: 60_000 + REQUESTS * 100,
}, async () => {
  console.info(`LAKE_FUZZ_SEED=${SEED} LAKE_FUZZ_REQUESTS=${REQUESTS}`);
  const report = await fuzz(SEED, REQUESTS, (done, problems) => {
    console.info(`${done} requests, ${problems.length} kinds of problems ${problems.join(' | ')}`);
  });
  console.info(JSON.stringify(report.statuses), `${report.tables} tables at the end`);
  expect(report.problems.join('\n\n'), `seed ${SEED}`).toBe('');
  // A run whose requests are all refused would find nothing.
  expect((report.statuses[200] ?? 0) / REQUESTS).toBeGreaterThan(0.15);
  expect(report.tables).toBeGreaterThan(5);
  expect(report.heap[1] - report.heap[0]).toBeLessThan(MOST_HEAP_GROWTH);
});
