import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lake, lakeEnvironment, lakeFolder } from '../../stack/catalog.ts';
import { publishGold } from '../../stack/publish-gold.ts';
import type { StackSettings } from '../../stack/settings.ts';
import { writeFlights } from '../small-flights.ts';

/** A day after all flights: the policies' today. */
const TODAY = '2001-07-01';
/** The table that the dashboard reads by its tag. */
export const TAGGED = 'gold.fct_flight';
export const TAG = 'reported';

const CORRECTED = `SELECT _source_file, _row FROM silver.flights WHERE CAST(flight_time AS DATE) = '2001-06-20'
  ORDER BY _row LIMIT 3`;

/** Rows of `lake sql` on the stack's lake. */
export async function lakeRows(
  settings: StackSettings,
  query: string,
  more: readonly string[] = [],
): Promise<Record<string, unknown>[]> {
  return JSON.parse(await lake(settings, ['--output', 'json', 'sql', query, ...more]));
}

/**
 * Some of the example's flights in the stack's lake: built, tagged, corrected, moved to their tiers, with Gold's views in Trino. A lake that is filled
 * already is left as it is, but for the views.
 */
export async function fillFlights(settings: StackSettings): Promise<void> {
  const tables: unknown = JSON.parse(await lake(settings, ['--output', 'json', 'table', 'list']));
  if (!JSON.stringify(tables).includes('"gold.mart_route"')) await build(settings);
  await publishGold(lakeEnvironment(settings));
}

async function build(settings: StackSettings): Promise<void> {
  const parent = await mkdtemp(join(tmpdir(), 'lake-superset-'));
  const folder = join(parent, 'lake');
  try {
    await cp(lakeFolder(settings), folder, { recursive: true });
    await rm(join(folder, 'data/flights-3m.parquet'), { force: true });
    // Few days of each month: what takes the time is the partitions.
    await writeFlights(join(folder, 'data/flights-some.parquet'), {
      nth: 10,
      where: 'day(date) IN (1, 10, 20)',
    });
    const run = (words: readonly string[]) => lake(settings, words, folder);
    await run(['run']);
    await run(['table', 'tag', TAGGED, TAG]);
    await correct(folder, JSON.parse(await run(['--output', 'json', 'sql', CORRECTED])));
    await run(['run']);
    await run(['--yes', '--now', TODAY, 'tier', 'apply']);
  } finally {
    await rm(parent, { recursive: true, force: true });
  }
}

/** Lands a file that gives these flights another delay. */
async function correct(folder: string, flights: readonly Record<string, unknown>[]): Promise<void> {
  const lines = flights.map((row) => `${row['_source_file']},${row['_row']},,77,,,,test`);
  const header = 'source_file,source_row,flight_time,delay,distance,origin,destination,reason';
  await writeFile(join(folder, 'data/corrections/2001-07-01.csv'), `${[header, ...lines].join('\n')}\n`);
}
