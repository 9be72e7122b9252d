import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** The tests that ask other engines, with all of the stack beside them: Trino, PyIceberg, Superset, Prometheus. */
export const ENGINE_TESTS = ['test/engines/**/*.test.ts'];

/** `npm run test:engines` */
export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: {
    include: ENGINE_TESTS,
    globalSetup: ['test/engines/stack.setup.ts'],
    testTimeout: 300_000,
    hookTimeout: 600_000,
    expect: { poll: { timeout: 120_000 } },
    maxWorkers: 1,
    fileParallelism: false,
  },
});
