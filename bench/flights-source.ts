import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** The 3,000,000 real flights that the benchmarks write (package vega-datasets). */
export const FLIGHTS = join(
  dirname(dirname(createRequire(import.meta.url).resolve('vega-datasets'))),
  'data/flights-3m.parquet',
);
