/**
 * Rows a second of `lake run` of the bronze model alone (3,000,000 flights from Parquet, checks included, project opened and closed) beside DuckDB's bare COPY of
 * the same rows:
 *
 *     node bench/bronze-landing.ts [ROUNDS]
 */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { systemClock } from '../src/clock.ts';
import { loadLake } from '../src/config.ts';
import { openDuckDb } from '../src/engine/duckdb.ts';
import { runPipeline } from '../src/pipeline/run.ts';
import { openLake } from '../src/project/open-lake.ts';
import { FLIGHTS } from './flights-source.ts';

const MAIN = resolve(import.meta.dirname, '../src/cli/main.ts');

async function landed(folder: string): Promise<number> {
  execFileSync(process.execPath, [
    '--disable-warning=ExperimentalWarning',
    MAIN,
    'init',
    folder,
    '--example',
    'flights',
  ]);
  const started = performance.now();
  const lake = await openLake(await loadLake(folder, {}), systemClock);
  try {
    await runPipeline(lake, { select: ['bronze.flights'] });
  } finally {
    await lake.close();
  }
  return performance.now() - started;
}

async function copied(folder: string): Promise<number> {
  const engine = await openDuckDb({ tempDirectory: join(folder, 'spill') });
  try {
    const started = performance.now();
    await engine.run(
      `COPY (SELECT * FROM read_parquet('${FLIGHTS}')) TO '${folder}-bare.parquet' (FORMAT parquet, COMPRESSION zstd)`,
    );
    return performance.now() - started;
  } finally {
    await engine.close();
  }
}

const rounds = Number(process.argv[2] ?? 3);
const [ours, peer]: [number[], number[]] = [[], []];
for (let round = 0; round < rounds; round++) {
  const parent = await mkdtemp(join(tmpdir(), 'lake-bench-'));
  try {
    ours.push(await landed(join(parent, 'lake')));
    peer.push(await copied(join(parent, 'copy')));
  } finally {
    await rm(parent, { recursive: true, force: true });
  }
}
const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
const [a, b] = [median(ours), median(peer)];
const figures = {
  bench: 'bronze-landing',
  rounds,
  ours_ms: Math.round(a),
  duckdb_copy_ms: Math.round(b),
  rows_per_s: Math.round(3e9 / a),
  mark_rows_per_s: 1_000_000,
  ratio_to_copy: Number((b / a).toFixed(2)),
};
process.stdout.write(`${JSON.stringify(figures)}\n`);
