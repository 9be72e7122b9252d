import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Program } from './background-process.ts';
import { databaseUrl, isDatabaseGiven } from './postgres.ts';
import { REGION } from './s3-server.ts';
import { isReady, type Service } from './service.ts';
import type { StackSettings } from './settings.ts';

const run = promisify(execFile);
const LAKE = ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, '../src/cli/main.ts')];

/** The account that Trino signs in with. */
export const CLIENT = 'trino';

/** The folder of the lake that the stack serves. */
export function lakeFolder(settings: StackSettings): string {
  return join(settings.folder, 'lake');
}

/** What sets the flights lake of the examples onto the stack's parts: lake.yaml's keys as environment variables. */
export function lakeEnvironment(settings: StackSettings): Readonly<Record<string, string>> {
  const storage = `http://127.0.0.1:${settings.ports.minio}`;
  return {
    LAKE_WAREHOUSE: 's3://lake-hot/warehouse',
    LAKE_TIERS__HOT__LOCATION: 's3://lake-hot/warehouse/hot',
    LAKE_TIERS__WARM__LOCATION: 's3://lake-warm/warm',
    LAKE_TIERS__COLD__LOCATION: 's3://lake-cold/cold',
    LAKE_CATALOG__EMBEDDED: databaseUrl(settings),
    LAKE_CATALOG__SERVE__PORT: String(settings.ports.catalog),
    LAKE_CATALOG__SERVE__METRICS__PORT: String(settings.ports.metrics),
    // Any key of `auth` turns it on.
    LAKE_CATALOG__SERVE__AUTH__TOKEN_LIFETIME: '1h',
    LAKE_STORAGE__ENDPOINT: storage,
    LAKE_STORAGE__REGION: REGION,
    LAKE_STORAGE__PATH_STYLE: 'true',
    LAKE_STORAGE__STS__ENDPOINT: storage,
    LAKE_STORAGE__ACCESS_KEY_ID: settings.secret('s3-access-key'),
    LAKE_STORAGE__SECRET_ACCESS_KEY: settings.secret('s3-secret-key'),
    LAKE_TRINO__SERVER: `http://127.0.0.1:${settings.ports.trino}`,
    LAKE_TRINO__CATALOG: 'lake',
  };
}

/** Runs `lake` in the stack's project; what it printed to stdout. @throws Error with what it said */
export async function lake(
  settings: StackSettings,
  words: readonly string[],
  cwd = lakeFolder(settings),
): Promise<string> {
  const env = { ...process.env, ...lakeEnvironment(settings) };
  const { stdout } = await run(process.execPath, [...LAKE, ...words], {
    cwd,
    env,
    maxBuffer: 64 * 1024 * 1024,
  });
  return stdout;
}

/** A `lake` command that goes on, in the stack's project. */
export function lakeProgram(settings: StackSettings, folder: string, words: readonly string[]): Program {
  return {
    command: process.execPath,
    words: [...LAKE, ...words],
    cwd: folder,
    env: { ...process.env, ...lakeEnvironment(settings) },
  };
}

/** `lake catalog serve` from this checkout, on PostgreSQL and MinIO. */
export function catalog(settings: StackSettings): Service {
  const address = `http://127.0.0.1:${settings.ports.catalog}`;
  return {
    name: 'catalog',
    // A database that is there already is not ours to start.
    needs: isDatabaseGiven() ? ['minio'] : ['minio', 'postgres'],
    address,
    missing: () => null,
    prepare: async () => {
      const folder = lakeFolder(settings);
      if (!existsSync(join(folder, 'lake.yaml'))) {
        await lake(settings, ['init', folder, '--example', 'flights'], settings.folder);
      }
      return lakeProgram(settings, folder, ['catalog', 'serve']);
    },
    answers: () => isReady(`${address}/health`),
    afterStart: async (say) => {
      if (settings.credential(CLIENT) !== null) return;
      const made: unknown = JSON.parse(
        await lake(settings, ['catalog', 'principal', 'create', CLIENT, '-o', 'json']),
      );
      settings.keepCredential(CLIENT, credentialOf(made));
      await lake(settings, ['catalog', 'grant', 'add', 'manage', '--principal', CLIENT, '--catalog']);
      say(`catalog: made the account "${CLIENT}", which may do everything in the catalog`);
    },
  };
}

/** `client id:secret`, as engines take it. */
export function credentialOf(made: unknown): string {
  if (typeof made === 'object' && made !== null && 'credential' in made) return String(made.credential);
  throw new Error('the catalog made an account and did not show its secret');
}
