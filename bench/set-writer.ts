/**
 * The set-based writer (field ids, metrics, data-file entries) beside DuckDB's bare COPY of the same rows with the same partitions and compression:
 *
 *     node bench/set-writer.ts [ROUNDS]
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../src/clock.ts';
import { type DuckDbEngine, openDuckDb } from '../src/engine/duckdb.ts';
import { type PartitionSpec, UNPARTITIONED } from '../src/iceberg/partition-spec.ts';
import type { Schema } from '../src/iceberg/schema.ts';
import { writeSelect } from '../src/parquet/set-writer.ts';
import { openStore } from '../src/storage/store.ts';
import { type Figures, measured, median, printFigures, rounded } from './figures.ts';
import { FLIGHTS } from './flights-source.ts';

const ROWS = 3_000_000;
const SCHEMA: Schema = {
  type: 'struct',
  'schema-id': 0,
  fields: [
    { id: 1, name: 'date', required: false, type: 'timestamp' },
    { id: 2, name: 'delay', required: false, type: 'int' },
    { id: 3, name: 'distance', required: false, type: 'int' },
    { id: 4, name: 'origin', required: false, type: 'string' },
    { id: 5, name: 'destination', required: false, type: 'string' },
  ],
};
const BY_DAY: PartitionSpec = {
  'spec-id': 0,
  fields: [{ 'source-id': 1, 'field-id': 1000, name: 'day', transform: 'day' }],
};
const SQL = `SELECT CAST(date AS TIMESTAMP) AS date, CAST(delay AS INT) AS delay, CAST(distance AS INT) AS distance, origin, destination
  FROM read_parquet('${FLIGHTS}')`;

type Way = (engine: DuckDbEngine, folder: string) => Promise<unknown>;

const ours =
  (spec: PartitionSpec): Way =>
  (engine, folder) =>
    writeSelect(engine, {
      sql: SQL,
      schema: SCHEMA,
      spec,
      location: `file://${folder}`,
      objects: openStore(),
      clock: systemClock,
    });
const bare =
  (select: string, options: string): Way =>
  (engine, folder) =>
    engine.run(`COPY (${select}) TO '${folder}/bare' (FORMAT parquet, COMPRESSION zstd, ${options})`);

const CASES: Record<string, { readonly ours: Way; readonly peer: Way }> = {
  unpartitioned: { ours: ours(UNPARTITIONED), peer: bare(SQL, `FILE_SIZE_BYTES '512MB'`) },
  'by day': {
    ours: ours(BY_DAY),
    peer: bare(`SELECT *, CAST(date AS DATE) AS day FROM (${SQL})`, 'PARTITION_BY (day)'),
  },
};

async function timed(way: Way): Promise<Figures> {
  const folder = await mkdtemp(join(tmpdir(), 'lake-bench-'));
  const engine = await openDuckDb({ tempDirectory: join(folder, 'spill') });
  try {
    return await measured(async () => {
      await way(engine, folder);
      return ROWS;
    });
  } finally {
    await engine.close();
    await rm(folder, { recursive: true, force: true });
  }
}

const of = (all: readonly Figures[], key: keyof Figures): number => median(all.map((one) => one[key]));

const rounds = Number(process.argv[2] ?? 5);
for (const [name, { ours: our, peer }] of Object.entries(CASES)) {
  const [ourMs, peerMs]: [Figures[], Figures[]] = [[], []];
  // Turn by turn, so that both meet the same machine.
  for (let round = 0; round < rounds; round++) {
    ourMs.push(await timed(our));
    peerMs.push(await timed(peer));
  }
  const [ms, peerOf] = [of(ourMs, 'ms'), of(peerMs, 'ms')];
  printFigures({
    bench: 'set-writer',
    case: name,
    rounds,
    ours_ms: Math.round(ms),
    ours_cpu_ms: Math.round(of(ourMs, 'cpu_ms')),
    duckdb_copy_ms: Math.round(peerOf),
    duckdb_copy_cpu_ms: Math.round(of(peerMs, 'cpu_ms')),
    rows_per_s: Math.round((ROWS / ms) * 1000),
    ratio: rounded(peerOf / ms),
    cpu_ratio: rounded(of(peerMs, 'cpu_ms') / of(ourMs, 'cpu_ms')),
    mark: 0.9,
  });
}
