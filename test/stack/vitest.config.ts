import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** `npm run test:stack`: the tests that need real servers or other engines beside them. */
export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: {
    include: ['test/stack/**/*.test.ts', 'test/interop/**/*.test.ts'],
    testTimeout: 120_000,
    // The first run builds the servers.
    hookTimeout: 900_000,
    maxWorkers: 2,
    fileParallelism: false,
  },
});
