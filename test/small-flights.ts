import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { lake, type Recorded } from './cli/recorded-terminal.ts';

const FLIGHTS = join(
  dirname(dirname(createRequire(import.meta.url).resolve('vega-datasets'))),
  'data/flights-3m.parquet',
);

/** Runs SQL in an engine of its own. */
export async function duckDb(sql: string): Promise<void> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  await connection.run(sql);
  connection.closeSync();
  instance.closeSync();
}

/**
 * The example project in a new temporary folder, with some of its real flights: those of `where`, every `nth` one.
 *
 * @returns the project's folder, and its removal
 */
export async function smallFlights(options: { nth: number; where?: string }) {
  const parent = await mkdtemp(join(tmpdir(), 'lake-flights-'));
  const folder = join(parent, 'lake');
  await mustRun(parent, ['init', folder]);
  await rm(join(folder, 'data/flights-3m.parquet'));
  await writeFlights(join(folder, 'data/flights-some.parquet'), options);
  return { folder, remove: () => rm(parent, { recursive: true, force: true }) };
}

/** A source file of some real flights. */
export async function writeFlights(
  file: string,
  { nth, where = 'true' }: { nth: number; where?: string },
): Promise<void> {
  await duckDb(
    `COPY (SELECT date, delay, distance, origin, destination FROM (
       SELECT *, file_row_number FROM read_parquet('${FLIGHTS}', file_row_number = true) WHERE ${where})
       WHERE file_row_number % ${nth} = 0 ORDER BY file_row_number) TO '${file}' (FORMAT parquet)`,
  );
}

/** Runs a command that must succeed. */
export async function mustRun(
  folder: string,
  argv: readonly string[],
  over: Parameters<typeof lake>[2] = {},
): Promise<Recorded> {
  const done = await lake(folder, argv, over);
  if (done.code !== 0)
    throw new Error(`lake ${argv.join(' ')} ended with ${done.code}:\n${done.stdout}${done.stderr}`);
  return done;
}

/** A command's rows, by --output json. */
export async function rowsOf(folder: string, argv: readonly string[]): Promise<Record<string, unknown>[]> {
  return JSON.parse((await mustRun(folder, ['--output', 'json', ...argv])).stdout);
}

/** A correction of the first flights of a day, as a file of the example's corrections. */
export async function landCorrection(folder: string, name: string, day: string): Promise<void> {
  const flights = await rowsOf(folder, [
    'sql',
    `SELECT _source_file, _row FROM silver.flights WHERE CAST(flight_time AS DATE) = '${day}' ORDER BY _row LIMIT 3`,
  ]);
  const lines = flights.map((row) => `${row['_source_file']},${row['_row']},,77,,,,test`);
  const header = 'source_file,source_row,flight_time,delay,distance,origin,destination,reason';
  await writeFile(join(folder, 'data/corrections', name), `${[header, ...lines].join('\n')}\n`);
}
