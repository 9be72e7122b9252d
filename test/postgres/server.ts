import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { initDatabase, postgresOptions, postgresPrograms } from '../../stack/postgres.ts';
import { freePort } from '../free-port.ts';

/** A PostgreSQL server that tests may use as they like. */
export interface PostgresServer {
  /** Of a user who may do anything, without `?schema=`. */
  readonly url: string;
  stop(): Promise<void>;
}

const WHERE_TO_GET =
  'there is no PostgreSQL: install one (Debian: apt-get install postgresql), or set LAKE_TEST_POSTGRES=postgres://…';

/**
 * Null where PostgreSQL can be tested with, else why not. In CI (`CI` is set) it has to be there: the tests then fail for want of it.
 */
export function postgresMissing(): string | null {
  if (process.env['LAKE_TEST_POSTGRES'] !== undefined || postgresPrograms() !== null) return null;
  return process.env['CI'] === undefined ? WHERE_TO_GET : null;
}

/** The server of LAKE_TEST_POSTGRES, or one of its own that is gone after `stop`. */
export async function startPostgres(): Promise<PostgresServer> {
  const given = process.env['LAKE_TEST_POSTGRES'];
  if (given !== undefined) return { url: given, stop: async () => undefined };
  const bin = postgresPrograms();
  if (bin === null) throw new Error(WHERE_TO_GET);
  const folder = mkdtempSync(join(tmpdir(), 'lake-postgres-'));
  const options = postgresOptions(folder);
  const data = join(folder, 'data');
  let server: ChildProcess | null = null;
  const stop = async () => {
    if (server !== null) await ended(server);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await initDatabase(bin, folder, ['--auth=trust', '--no-sync']);
    const port = await freePort();
    const settings = `listen_addresses = '127.0.0.1'\nport = ${port}\nunix_socket_directories = ''\nmax_connections = 200\n`;
    writeFileSync(join(data, 'postgresql.conf'), settings, { flag: 'a' });
    server = spawn(join(bin, 'postgres'), ['-D', data], { ...options, stdio: ['ignore', 'ignore', 'pipe'] });
    const url = `postgres://lake@127.0.0.1:${port}/postgres`;
    await answering(server, url);
    return { url, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Returns when the server takes connections. */
async function answering(server: ChildProcess, url: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let said = '';
  server.stderr?.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-5000);
    if (said.includes('ready to accept connections')) resolve();
  });
  server.once('exit', (code) => reject(new Error(`PostgreSQL ended with ${code}:\n${said}`)));
  await promise;
  const client = new pg.Client(url);
  await client.connect();
  await client.end();
}

/** By SIGINT: sessions are cut, files stay whole. */
async function ended(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const exit = new Promise((resolve) => server.once('exit', resolve));
  server.kill('SIGINT');
  await exit;
}
