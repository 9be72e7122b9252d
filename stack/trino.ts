import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Program } from './background-process.ts';
import { findJava } from './java.ts';
import { fetchArtifact, hasMaven } from './maven.ts';
import type { Service } from './service.ts';
import type { StackSettings } from './settings.ts';

const VERSION = '476';
const JAVA = 24;
const PLUGINS = ['iceberg', 'tpch'];
const MAIN_CLASS = 'io.trino.server.TrinoServer';
/** The same files that docker-compose.yml mounts. */
const CONFIGURATION = join(import.meta.dirname, '../trino/etc');
const run = promisify(execFile);

/** Trino, with the plugins that a lake needs, from Maven's registry. `lake` are the variables that its catalog files name. */
export function trino(settings: StackSettings, lake: () => Readonly<Record<string, string>>): Service {
  const address = `http://127.0.0.1:${settings.ports.trino}`;
  const home = join(settings.cache, 'trino', VERSION);
  return {
    name: 'trino',
    needs: ['catalog'],
    address,
    missing: () => missingFor(home),
    prepare: async (say) => {
      if (!existsSync(home)) {
        say(`fetching Trino ${VERSION} (540 MB, once)`);
        await install(join(settings.cache, 'trino'), home);
      }
      return serverProgram(home, settings, lake());
    },
    answers: async () => {
      const answer = await fetch(`${address}/v1/info`).catch(() => null);
      if (answer?.ok !== true) return false;
      const info: unknown = await answer.json();
      return typeof info === 'object' && info !== null && 'starting' in info && info.starting === false;
    },
  };
}

function missingFor(home: string): string | null {
  if (findJava(JAVA, process.env) === null) {
    return `Trino ${VERSION} needs a JDK of version ${JAVA} or later: install one (Temurin), or set JAVA_HOME to it`;
  }
  if (existsSync(home) || hasMaven()) return null;
  return `Trino ${VERSION} is fetched by Maven: install it (Debian: apt-get install maven)`;
}

/** Unpacks the server and its plugins, and shows them in one step. */
async function install(folder: string, home: string): Promise<void> {
  const server = await fetchArtifact(
    { group: 'io.trino', name: 'trino-server-core', version: VERSION, type: 'tar.gz' },
    folder,
  );
  const fresh = await mkdtemp(join(folder, 'unpack-'));
  try {
    await run('tar', ['-xzf', server, '-C', fresh, '--strip-components=1']);
    for (const name of PLUGINS) {
      const plugin = await fetchArtifact(
        { group: 'io.trino', name: `trino-${name}`, version: VERSION, type: 'zip' },
        folder,
      );
      await run('unzip', ['-q', plugin, '-d', join(fresh, 'plugin')]);
    }
    await rename(fresh, home);
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
  // The archives are as large as what came out of them.
  for (const file of readdirSync(folder)) {
    if (file.endsWith('.zip') || file.endsWith('.tar.gz')) await rm(join(folder, file));
  }
}

function serverProgram(
  home: string,
  settings: StackSettings,
  lake: Readonly<Record<string, string>>,
): Program {
  const java = findJava(JAVA, process.env);
  if (java === null) throw new Error(`there is no JDK of version ${JAVA}`);
  const lines = (name: string) =>
    readFileSync(join(CONFIGURATION, name), 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
  return {
    command: join(java, 'bin/java'),
    words: [
      ...lines('jvm.config'),
      ...lines('node.properties').map((line) => `-D${line}`),
      `-Dnode.data-dir=${join(settings.folder, 'trino')}`,
      `-Dconfig=${join(CONFIGURATION, 'config.properties')}`,
      `-Dlog.levels-file=${join(CONFIGURATION, 'log.properties')}`,
      `-Dcatalog.config-dir=${join(CONFIGURATION, 'catalog')}`,
      '-cp',
      join(home, 'lib/*'),
      MAIN_CLASS,
    ],
    cwd: home,
    env: { ...process.env, ...lake, TRINO_PORT: String(settings.ports.trino) },
  };
}
