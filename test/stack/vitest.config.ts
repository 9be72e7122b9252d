import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** The tests that need real servers or other engines beside them. */
export const SERVER_TESTS = [
  'test/stack/**/*.test.ts',
  'test/interop/**/*.test.ts',
  'test/catalog/postgres*.test.ts',
];

/** `npm run test:stack` */
export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: {
    include: SERVER_TESTS,
    testTimeout: 120_000,
    // The first run builds the servers.
    hookTimeout: 900_000,
    // What a test waits for comes late on a busy machine; it fails by its own time limit at last.
    expect: { poll: { timeout: 60_000 } },
    maxWorkers: 2,
    fileParallelism: false,
  },
});
