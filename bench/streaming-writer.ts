/** Rows a second of the streaming writer beside hyparquet-writer, both zstd, on the same 3,000,000 flights: `node bench/streaming-writer.ts [rounds]`. */
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

async function check(folder: string, pattern: string): Promise<string> {
  const engine = await openDuckDb({ tempDirectory: join(folder, 'spill') });
  try {
    const [row] = await engine.all(
      `SELECT count(*) AS n, sum(delay) AS delay, sum(distance) AS distance FROM read_parquet('${folder}/${pattern}', hive_partitioning = false)`,
    );
    return JSON.stringify(row);
  } finally {
    await engine.close();
  }
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

const rounds = Number(process.argv[2] ?? 5);
const table = await flights();
const writers: readonly (readonly [string, Writer, string])[] = [
  ['hyparquet-writer', peer(table), 'peer.parquet'],
  ['streaming writer', ours(table, 'plain', false), 'plain/data/*.parquet'],
  ['streaming writer, by day', ours(table, 'daily', true), 'daily/data/*/*.parquet'],
];
const rates = new Map<string, number[]>(writers.map(([name]) => [name, []]));
for (let round = 0; round < rounds; round++) {
  const sums = new Set<string>();
  const folder = await mkdtemp(join(tmpdir(), 'lake-bench-'));
  try {
    for (const [name, write, pattern] of writers) {
      const start = performance.now();
      await write(folder);
      rates.get(name)?.push((table.numRows / (performance.now() - start)) * 1000);
      sums.add(await check(folder, pattern));
    }
  } finally {
    await rm(folder, { recursive: true });
  }
  if (sums.size !== 1) throw new Error(`the files hold different rows: ${[...sums].join(' ')}`);
}
const base = median(rates.get('hyparquet-writer') ?? []);
for (const [name, values] of rates) {
  const rate = median(values);
  console.log(`${name.padEnd(26)} ${(rate / 1e6).toFixed(2)} M rows/s  ${(rate / base).toFixed(2)}x`);
}
