import { defineConfig } from 'vitest/config';
import { LONG_TESTS } from './test/faults/vitest.config.ts';
import { SERVER_TESTS } from './test/stack/vitest.config.ts';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // The first need servers and other engines (npm run test:stack), the others minutes (npm run test:faults).
    exclude: [...SERVER_TESTS, ...LONG_TESTS],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
  },
});
