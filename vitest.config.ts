import { defineConfig } from 'vitest/config';
import { ENGINE_TESTS } from './test/engines/vitest.config.ts';
import { LONG_TESTS } from './test/faults/vitest.config.ts';
import { SERVER_TESTS } from './test/stack/vitest.config.ts';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // The first need servers and other engines (npm run test:stack, test:engines), the last minutes (npm run test:faults).
    exclude: [...SERVER_TESTS, ...ENGINE_TESTS, ...LONG_TESTS],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // What a test waits for comes late on a busy machine; it fails by its own time limit at last.
    expect: { poll: { timeout: 60_000 } },
    maxWorkers: 2,
  },
});
