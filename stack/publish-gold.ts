import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { TrinoEngine } from '../src/engine/trino.ts';

const GOLD = join(import.meta.dirname, '../trino/gold');
/** The namespace of the views: what reports read, whatever the tables below are. */
const NAMESPACE = 'reports';

type Environment = Readonly<Record<string, string | undefined>>;

/** What a check of trino/gold/checks found: rows that should not be there. */
export interface GoldCheck {
  readonly name: string;
  readonly failures: readonly (readonly unknown[])[];
}

/**
 * Makes or replaces the views of trino/gold/views, in the catalog that Trino serves.
 *
 * @param env `LAKE_TRINO__SERVER`, and `LAKE_TIERS__<TIER>__LOCATION` of every tier, hottest first
 * @returns the views' names
 */
export async function publishGold(env: Environment): Promise<readonly string[]> {
  const trino = trinoOf(env);
  await trino.rows(`CREATE SCHEMA IF NOT EXISTS ${NAMESPACE}`);
  const published: string[] = [];
  for (const { name, sql } of await statements('views')) {
    await trino.rows(sql.replace('${tiers}', tierRows(env)));
    published.push(`${NAMESPACE}.${name}`);
  }
  return published;
}

/** Runs the checks of trino/gold/checks. */
export async function checkGold(env: Environment): Promise<readonly GoldCheck[]> {
  const trino = trinoOf(env);
  const checks: GoldCheck[] = [];
  for (const { name, sql } of await statements('checks'))
    checks.push({ name, failures: await trino.rows(sql) });
  return checks;
}

function trinoOf(env: Environment): TrinoEngine {
  const server = env['LAKE_TRINO__SERVER'];
  if (server === undefined) throw new Error('LAKE_TRINO__SERVER is not set: where does Trino answer?');
  return new TrinoEngine({ server, catalog: env['LAKE_TRINO__CATALOG'] ?? 'lake', user: 'lakewarden' });
}

/** The statements of a folder, by their files' names. */
async function statements(folder: string): Promise<readonly { name: string; sql: string }[]> {
  const files = (await readdir(join(GOLD, folder))).filter((file) => file.endsWith('.sql')).sort();
  return Promise.all(
    files.map(async (file) => ({
      name: basename(file, '.sql'),
      sql: await readFile(join(GOLD, folder, file), 'utf8'),
    })),
  );
}

/** `('hot', 1, 's3://…'), …` of the tiers that the lake's variables name. */
function tierRows(env: Environment): string {
  const rows = Object.entries(env).flatMap(([name, location]) => {
    const tier = /^LAKE_TIERS__(.+)__LOCATION$/.exec(name)?.[1];
    return tier === undefined || location === undefined ? [] : [[tier.toLowerCase(), location]];
  });
  if (rows.length === 0) throw new Error('no LAKE_TIERS__<TIER>__LOCATION is set: where do the tiers lie?');
  return rows
    .map(
      ([tier, location], index) =>
        `    (${text(tier)}, ${index + 1}, ${text(location?.replace(/\/+$/, ''))})`,
    )
    .join(',\n');
}

const text = (value: string | undefined) => `'${String(value).replaceAll("'", "''")}'`;
