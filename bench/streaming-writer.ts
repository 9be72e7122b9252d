/** Rows a second of the streaming writer beside hyparquet-writer, both zstd, (levels 1 and 3, each side's default), dictionaries and statistics, durable on disk when the clock stops, on the same 3,000,000 flights: `node bench/streaming-writer.ts [rounds]`. */
import { spawnSync } from 'node:child_process';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { zstdCompressSync } from 'node:zlib';
import { type Table, tableFromIPC } from 'apache-arrow';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { readParquet } from 'parquet-wasm';
import { systemClock } from '../src/clock.ts';
import { openDuckDb } from '../src/engine/duckdb.ts';
import { buildPartitionSpec, UNPARTITIONED } from '../src/iceberg/partition-spec.ts';
import type { Schema } from '../src/iceberg/schema.ts';
import { StreamWriter } from '../src/parquet/stream-writer.ts';
import { openStore } from '../src/storage/store.ts';

const SCHEMA: Schema = {
  type: 'struct',
  'schema-id': 0,
  fields: [
    { id: 1, name: 'date', required: false, type: 'timestamp' },
    { id: 2, name: 'delay', required: false, type: 'long' },
    { id: 3, name: 'distance', required: false, type: 'long' },
    { id: 4, name: 'origin', required: false, type: 'string' },
    { id: 5, name: 'destination', required: false, type: 'string' },
  ],
};

async function flights(): Promise<Table> {
  const bytes = await readFile(
    new URL('../node_modules/vega-datasets/data/flights-3m.parquet', import.meta.url),
  );
  return tableFromIPC(readParquet(bytes, { batchSize: 65_536 }).intoIPCStream());
}

type Writer = (folder: string) => Promise<void>;

/** Columns as plain arrays, as hyparquet-writer takes them; made before the clock runs. */
function peer(table: Table): Writer {
  const values = <T>(name: string, of: (value: unknown) => T): T[] =>
    Array.from(table.getChild(name) ?? [], (value: unknown) => of(value));
  const columnData = [
    { name: 'date', data: values('date', (value) => new Date(Number(value))), type: 'TIMESTAMP' as const },
    { name: 'delay', data: values('delay', (value) => BigInt(String(value))), type: 'INT64' as const },
    { name: 'distance', data: values('distance', (value) => BigInt(String(value))), type: 'INT64' as const },
    { name: 'origin', data: values('origin', String), type: 'STRING' as const },
    { name: 'destination', data: values('destination', String), type: 'STRING' as const },
  ];
  return async (folder) => {
    const bytes = parquetWriteBuffer({
      columnData,
      codec: 'ZSTD',
      compressors: { ZSTD: (input) => zstdCompressSync(input) },
    });
    const file = await open(join(folder, 'peer.parquet'), 'w');
    await file.write(new Uint8Array(bytes));
    await file.sync();
    await file.close();
  };
}

function ours(table: Table, name: string, daily: boolean): Writer {
  const spec = daily ? buildPartitionSpec(SCHEMA, [{ source: 'date', transform: 'day' }]) : UNPARTITIONED;
  return async (folder) => {
    const location = `file://${folder}/${name}`;
    const writer = new StreamWriter({
      schema: SCHEMA,
      spec,
      location,
      objects: openStore(),
      clock: systemClock,
    });
    for (const batch of table.batches) await writer.writeBatch(batch);
    await writer.close();
  };
}

async function check(folder: string, pattern: string): Promise<Pick<Figures, 'sums' | 'bytes'>> {
  const engine = await openDuckDb({ tempDirectory: join(folder, 'spill') });
  try {
    const [row] = await engine.all(
      `SELECT count(*) AS n, sum(delay) AS delay, sum(distance) AS distance FROM read_parquet('${folder}/${pattern}', hive_partitioning = false)`,
    );
    const [size] = await engine.all(
      `SELECT sum(size)::BIGINT AS bytes FROM read_blob('${folder}/${pattern}')`,
    );
    return { sums: JSON.stringify(row), bytes: Number(size?.['bytes']) };
  } finally {
    await engine.close();
  }
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

const SIDES: Readonly<Record<string, { readonly writer: (table: Table) => Writer; readonly files: string }>> =
  {
    'hyparquet-writer': { writer: peer, files: 'peer.parquet' },
    'streaming writer': { writer: (table) => ours(table, 'plain', false), files: 'plain/data/*.parquet' },
    'streaming writer, by day': {
      writer: (table) => ours(table, 'daily', true),
      files: 'daily/data/*/*.parquet',
    },
  };

interface Figures {
  readonly side: string;
  /** Rows a second by the clock, and by the processor's time over all threads. */
  readonly wall: number;
  readonly cpu: number;
  readonly bytes: number;
  /** What DuckDB reads from the files. */
  readonly sums: string;
}

/** One measured write, after one that warms up. Each side has its own process: the peer's plain arrays are 15 million objects, which would slow down everybody's collector. */
async function measure(side: string): Promise<Figures> {
  const { writer, files } = SIDES[side] ?? { writer: peer, files: '' };
  const table = await flights();
  const write = writer(table);
  const warm = await mkdtemp(join(tmpdir(), 'lake-bench-'));
  const folder = await mkdtemp(join(tmpdir(), 'lake-bench-'));
  try {
    await write(warm);
    const [start, cpu] = [performance.now(), process.cpuUsage()];
    await write(folder);
    const wallMs = performance.now() - start;
    const { user, system } = process.cpuUsage(cpu);
    const rate = (ms: number): number => (table.numRows / ms) * 1000;
    return { side, wall: rate(wallMs), cpu: rate((user + system) / 1000), ...(await check(folder, files)) };
  } finally {
    await rm(folder, { recursive: true });
    await rm(warm, { recursive: true });
  }
}

function measureApart(side: string): Figures {
  const done = spawnSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', fileURLToPath(import.meta.url), '--side', side],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const figures: Figures = JSON.parse(done.stdout);
  return figures;
}

function main(rounds: number): void {
  const all: Figures[] = [];
  for (let round = 0; round < rounds; round++) all.push(...Object.keys(SIDES).map(measureApart));
  const sums = new Set(all.map((figures) => figures.sums));
  if (sums.size !== 1) throw new Error(`the files hold different rows: ${[...sums].join(' ')}`);
  const of = (side: string, key: 'wall' | 'cpu' | 'bytes'): number =>
    median(all.filter((figures) => figures.side === side).map((figures) => figures[key]));
  console.log('side                        wall M rows/s          cpu M rows/s          bytes');
  for (const side of Object.keys(SIDES)) {
    const [wall, cpu] = (['wall', 'cpu'] as const).map((key) => {
      const rate = of(side, key);
      return `${(rate / 1e6).toFixed(2)} (${(rate / of('hyparquet-writer', key)).toFixed(2)}x)`.padEnd(23);
    });
    console.log(`${side.padEnd(28)}${wall}${cpu}${of(side, 'bytes')}`);
  }
}

const [option, side] = process.argv.slice(2);
if (option === '--side' && side !== undefined) console.log(JSON.stringify(await measure(side)));
else main(Number(option ?? 5));
