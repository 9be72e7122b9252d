import { execFile } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import type { Service } from './service.ts';
import type { StackSettings } from './settings.ts';

const DEBIAN = '/usr/lib/postgresql';
/** PostgreSQL refuses to run as root. */
const NOBODY = { uid: 65_534, gid: 65_534 };
const run = promisify(execFile);

/** True if LAKE_STACK_POSTGRES names a database to use. */
export function isDatabaseGiven(): boolean {
  return process.env['LAKE_STACK_POSTGRES'] !== undefined;
}

/** The URL of the stack's database; `LAKE_STACK_POSTGRES` names one that is there already. */
export function databaseUrl(settings: StackSettings): string {
  const given = process.env['LAKE_STACK_POSTGRES'];
  return (
    given ??
    `postgres://lake:${settings.secret('postgres-password')}@127.0.0.1:${settings.ports.postgres}/postgres`
  );
}

/** PostgreSQL from the system's packages. */
export function postgres(settings: StackSettings): Service {
  return {
    name: 'postgres',
    needs: [],
    address: `127.0.0.1:${settings.ports.postgres}`,
    missing: () =>
      postgresPrograms() === null
        ? 'there is no PostgreSQL: install one (Debian: apt-get install postgresql), or set LAKE_STACK_POSTGRES=postgres://…'
        : null,
    prepare: async () => {
      const bin = postgresPrograms();
      if (bin === null) throw new Error('there is no PostgreSQL');
      const folder = join(settings.folder, 'postgres');
      await makeCluster(bin, folder, settings);
      const user = postgresUser();
      return {
        command: join(bin, 'postgres'),
        words: ['-D', join(folder, 'data')],
        cwd: folder,
        env: environment(),
        stopSignal: 'SIGINT',
        ...(user === undefined ? {} : { user }),
      };
    },
    answers: async () => {
      const client = new pg.Client(databaseUrl(settings));
      try {
        await client.connect();
        return true;
      } catch {
        return false;
      } finally {
        await client.end().catch(() => undefined);
      }
    },
  };
}

/** The folder of the server's programs: the newest of Debian's packages, or of PATH. */
export function postgresPrograms(): string | null {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [
    ...versions.map((version) => join(DEBIAN, version, 'bin')),
    ...(process.env['PATH'] ?? '').split(delimiter),
  ];
  return (
    folders.find((folder) => ['initdb', 'postgres'].every((name) => existsSync(join(folder, name)))) ?? null
  );
}

const environment = () => ({ PATH: process.env['PATH'], LC_ALL: 'C.UTF-8' });

/** Who runs the server where this is root; undefined for whoever this is. */
function postgresUser(): typeof NOBODY | undefined {
  return process.getuid?.() === 0 ? NOBODY : undefined;
}

/** What the server's programs are started with in `folder`. */
export function postgresOptions(folder: string) {
  return { cwd: folder, env: environment(), ...postgresUser() };
}

/** Gives a file or folder to whoever runs the server. */
function handOver(path: string): void {
  const user = postgresUser();
  if (user !== undefined) chownSync(path, user.uid, user.gid);
}

/** Makes the files of a server, with the user `lake`, in `data` below `folder`. */
export async function initDatabase(bin: string, folder: string, words: readonly string[]): Promise<void> {
  handOver(folder);
  const own = ['-D', join(folder, 'data'), '-U', 'lake', '-E', 'UTF8', '--no-instructions'];
  await run(join(bin, 'initdb'), [...own, ...words], postgresOptions(folder));
}

async function makeCluster(bin: string, folder: string, settings: StackSettings): Promise<void> {
  const data = join(folder, 'data');
  if (!existsSync(join(data, 'PG_VERSION'))) {
    mkdirSync(folder, { recursive: true });
    const passwords = join(folder, 'password');
    writeFileSync(passwords, settings.secret('postgres-password'), { mode: 0o600 });
    handOver(passwords);
    await initDatabase(bin, folder, ['--auth=scram-sha-256', '--pwfile', passwords]);
    rmSync(passwords);
  }
  const lines = [
    `listen_addresses = '127.0.0.1'`,
    `port = ${settings.ports.postgres}`,
    `unix_socket_directories = ''`,
  ];
  writeFileSync(join(data, 'postgresql.auto.conf'), `${lines.join('\n')}\n`);
}
