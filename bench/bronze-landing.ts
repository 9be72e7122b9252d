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
import { type Figures, measured, median, printFigures, rounded } from './figures.ts';
import { FLIGHTS } from './flights-source.ts';

const ROWS = 3_000_000;
const MAIN = resolve(import.meta.dirname, '../src/cli/main.ts');

async function landed(folder: string): Promise<Figures> {
  execFileSync(process.execPath, [
    '--disable-warning=ExperimentalWarning',
    MAIN,
    'init',
    folder,
    '--example',
    'flights',
  ]);
  return measured(async () => {
    const lake = await openLake(await loadLake(folder, {}), systemClock);
    try {
      await runPipeline(lake, { select: ['bronze.flights'] });
    } finally {
      await lake.close();
    }
    return ROWS;
  });
}

async function copied(folder: string): Promise<Figures> {
  const engine = await openDuckDb({ tempDirectory: join(folder, 'spill') });
  try {
    return await measured(async () => {
      await engine.run(
        `COPY (SELECT * FROM read_parquet('${FLIGHTS}')) TO '${folder}-bare.parquet' (FORMAT parquet, COMPRESSION zstd)`,
      );
      return ROWS;
    });
  } finally {
    await engine.close();
  }
}

const rounds = Number(process.argv[2] ?? 3);
const [ours, peer]: [Figures[], Figures[]] = [[], []];
for (let round = 0; round < rounds; round++) {
  const parent = await mkdtemp(join(tmpdir(), 'lake-bench-'));
  try {
    ours.push(await landed(join(parent, 'lake')));
    peer.push(await copied(join(parent, 'copy')));
  } finally {
    await rm(parent, { recursive: true, force: true });
  }
}
const of = (all: readonly Figures[], key: keyof Figures): number => median(all.map((one) => one[key]));
const [ms, cpuMs] = [of(ours, 'ms'), of(ours, 'cpu_ms')];
printFigures({
  bench: 'bronze-landing',
  rounds,
  ours_ms: Math.round(ms),
  ours_cpu_ms: Math.round(cpuMs),
  duckdb_copy_ms: Math.round(of(peer, 'ms')),
  duckdb_copy_cpu_ms: Math.round(of(peer, 'cpu_ms')),
  rows_per_s: Math.round((ROWS / ms) * 1000),
  rows_per_cpu_s: Math.round((ROWS / cpuMs) * 1000),
  mark_rows_per_s: 1_000_000,
  ratio_to_copy: rounded(of(peer, 'ms') / ms),
});
