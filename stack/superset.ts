import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findPython } from './python.ts';
import { isReady, type Service } from './service.ts';
import type { StackSettings } from './settings.ts';

/** The same files that docker-compose.yml mounts. */
const FILES = join(import.meta.dirname, '../superset');
const ASSETS = join(FILES, 'assets');
const REQUIREMENTS = ['requirements.txt', 'constraints.txt'];
/** Minor versions of Python 3 that Superset 6.1 runs on. */
const PYTHON = { least: 10, most: 12 } as const;
const ADMIN = 'admin';
const WORDS = ['--worker-class', 'gthread', '--workers', '1', '--threads', '16', '--timeout', '300'];
const run = promisify(execFile);

/** Superset from PyPI, with the dashboards of superset/assets and its own metadata in SQLite. */
export function superset(settings: StackSettings): Service {
  const address = `http://127.0.0.1:${settings.ports.superset}`;
  const home = join(settings.cache, 'superset', digest(REQUIREMENTS.map((name) => join(FILES, name))));
  const folder = join(settings.folder, 'superset');
  return {
    name: 'superset',
    needs: ['trino'],
    address,
    missing: () =>
      existsSync(home) || findPython(PYTHON.least, PYTHON.most) !== null
        ? null
        : `Superset needs Python 3.${PYTHON.least} to 3.${PYTHON.most} with venv (Debian: apt-get install python3-venv)`,
    prepare: async (say) => {
      if (!existsSync(home)) {
        say('installing Superset (840 MB, once)');
        await install(home);
      }
      const env = environment(settings, folder);
      await mkdir(folder, { recursive: true });
      await makeMetadata(home, folder, env);
      await importAssets(home, folder, env, say);
      return {
        command: python(home),
        words: ['-m', 'gunicorn', ...WORDS, '--bind', new URL(address).host, 'superset.app:create_app()'],
        cwd: folder,
        env,
      };
    },
    answers: () => isReady(`${address}/health`),
  };
}

/** Who signs in at the stack's Superset. */
export function supersetAccount(settings: StackSettings): {
  readonly user: string;
  readonly password: string;
} {
  return { user: ADMIN, password: settings.secret('superset-password') };
}

const python = (home: string) => join(home, 'venv/bin/python');

function environment(settings: StackSettings, folder: string): Readonly<Record<string, string | undefined>> {
  return {
    ...process.env,
    ...commandEnvironment(folder, settings.secret('superset-key')),
    LAKE_TRINO_URL: `http://127.0.0.1:${settings.ports.trino}`,
    // Options of `superset fab create-admin`: a command line could be read by others.
    FLASK_FAB_CREATE_ADMIN_PASSWORD: supersetAccount(settings).password,
  };
}

/** What Superset's configuration takes from its environment, with its own data in `folder`. */
function commandEnvironment(folder: string, key: string): Readonly<Record<string, string>> {
  return {
    PYTHONPATH: FILES,
    PYTHONDONTWRITEBYTECODE: '1',
    FLASK_APP: 'superset.app:create_app()',
    SUPERSET_HOME: folder,
    SUPERSET_SECRET_KEY: key,
    LAKE_SUPERSET_DATABASE: `sqlite:///${join(folder, 'metadata.db')}`,
  };
}

/** Superset and an empty metadata database, shown in one step. */
async function install(home: string): Promise<void> {
  const given = findPython(PYTHON.least, PYTHON.most);
  if (given === null) throw new Error('there is no Python for Superset');
  await mkdir(join(home, '..'), { recursive: true });
  const fresh = await mkdtemp(`${home}-`);
  try {
    await run(given, ['-m', 'venv', join(fresh, 'venv')]);
    const [requirements = '', constraints = ''] = REQUIREMENTS.map((name) => join(FILES, name));
    await run(python(fresh), ['-m', 'pip', 'install', '--quiet', '-r', requirements, '-c', constraints]);
    // The migrations take most of a first start, and come to the same for every stack.
    const env = { ...process.env, ...commandEnvironment(fresh, 'of no database that is used') };
    await command(fresh, env, ['db', 'upgrade']);
    await command(fresh, env, ['init']);
    await rename(fresh, home);
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

/** A metadata database with an administrator; one of an earlier version is migrated. */
async function makeMetadata(home: string, folder: string, env: NodeJS.ProcessEnv): Promise<void> {
  const [database, made] = [join(folder, 'metadata.db'), join(folder, 'metadata-of')];
  if (contentOf(made) === home) return;
  if (existsSync(database)) {
    await command(home, env, ['db', 'upgrade']);
    await command(home, env, ['init']);
  } else {
    await copyFile(join(home, 'metadata.db'), database);
  }
  const person = ['--firstname', 'Lake', '--lastname', 'Warden', '--email', `${ADMIN}@localhost`];
  await command(home, env, ['fab', 'create-admin', '--username', ADMIN, ...person]);
  writeFileSync(made, home);
}

/** Brings in the database, datasets, charts and dashboards where they changed: what was edited in the browser since is replaced then alone. */
async function importAssets(
  home: string,
  folder: string,
  env: NodeJS.ProcessEnv,
  say: (text: string) => void,
): Promise<void> {
  const [imported, assets] = [join(folder, 'assets-of'), digest(filesBelow(ASSETS))];
  if (contentOf(imported) === assets) return;
  const told = await command(home, env, ['import-directory', '--overwrite', ASSETS]);
  // It ends with 0 where it refused the files.
  if (/An error occurred/.test(told)) throw new Error(`superset: the dashboards were not imported:\n${told}`);
  writeFileSync(imported, assets);
  say('superset: imported the dashboards of superset/assets');
}

/** Runs a command of Superset's; all that it printed. @throws Error with what it said */
async function command(home: string, env: NodeJS.ProcessEnv, words: readonly string[]): Promise<string> {
  // Not by its own first line: that names the folder it was installed in.
  const { stdout, stderr } = await run(python(home), [join(home, 'venv/bin/superset'), ...words], {
    env,
    maxBuffer: 64 * 1024 * 1024,
  });
  return `${stdout}${stderr}`;
}

function digest(files: readonly string[]): string {
  const hash = createHash('sha256');
  for (const file of files) hash.update(file.slice(FILES.length)).update(readFileSync(file));
  return hash.digest('hex').slice(0, 16);
}

function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile())
    .sort();
}

function contentOf(file: string): string | null {
  return existsSync(file) ? readFileSync(file, 'utf8') : null;
}
