import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** The long ones: processes killed at every step, full disks, 1,300 broken inputs, and races of writers with moves, expiry and orphan removal. */
export const LONG_TESTS = [
  'test/faults/*-kill.test.ts',
  'test/faults/full-disk.test.ts',
  'test/faults/catalog-writers.test.ts',
  'test/faults/broken-input.test.ts',
  'test/races/**/*.test.ts',
];

export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: {
    include: LONG_TESTS,
    testTimeout: 900_000,
    hookTimeout: 120_000,
    // What a test waits for comes late on a busy machine; it fails by its own time limit at last.
    expect: { poll: { timeout: 60_000 } },
    maxWorkers: 2,
  },
});
