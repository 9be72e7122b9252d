import { test } from 'vitest';
import { runHistory } from './random-history.ts';

const HISTORIES = Number(process.env['LAKE_HISTORIES'] ?? 12);
const FIRST_SEED = Number(process.env['LAKE_SEED'] ?? 1);
const STEPS = 30;

test(`${HISTORIES} random histories: every retained snapshot reads as before, and nothing is left over`, {
  timeout: 7_200_000,
}, async () => {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + HISTORIES; seed++) await runHistory(seed, STEPS);
});
