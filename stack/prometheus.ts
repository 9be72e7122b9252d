import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lakeFolder, lakeProgram } from './catalog.ts';
import { answersHttp, isReady, type Service } from './service.ts';
import type { StackSettings } from './settings.ts';

/** The same files that docker-compose.yml mounts. */
const CONFIGURATION = join(import.meta.dirname, '../prometheus');
/** Debian's Prometheus; 2.40 is the first with all that the configuration and the rules use. */
const LEAST = [2, 40] as const;
const KEPT = '15d';

/** `lake metrics --listen` on the stack's lake. */
export function exporter(settings: StackSettings): Service {
  const port = settings.ports.exporter;
  const address = `http://127.0.0.1:${port}`;
  return {
    name: 'exporter',
    needs: ['catalog'],
    address,
    missing: () => null,
    prepare: async () =>
      lakeProgram(settings, lakeFolder(settings), ['metrics', '--listen', `${port}`, '--every', '15s']),
    // 503 until the lake was read once.
    answers: () => answersHttp(`${address}/metrics`),
  };
}

/** Prometheus, which scrapes the catalog, the exporter, and Trino where it runs. */
export function prometheus(settings: StackSettings): Service {
  const address = `http://127.0.0.1:${settings.ports.prometheus}`;
  const folder = join(settings.folder, 'prometheus');
  return {
    name: 'prometheus',
    needs: ['exporter'],
    address,
    missing: prometheusMissing,
    prepare: async () => {
      writeConfiguration(folder, targetsOf(settings));
      return {
        command: 'prometheus',
        words: [
          `--config.file=${join(folder, 'prometheus.yml')}`,
          `--storage.tsdb.path=${join(folder, 'data')}`,
          `--storage.tsdb.retention.time=${KEPT}`,
          `--web.listen-address=127.0.0.1:${settings.ports.prometheus}`,
        ],
        cwd: folder,
        env: process.env,
      };
    },
    answers: () => isReady(`${address}/-/ready`),
  };
}

/** What the machine lacks for Prometheus; null if it is there. */
export function prometheusMissing(): string | null {
  const install =
    'install it (Debian: apt-get install --no-install-recommends prometheus; its own service is not needed)';
  try {
    const text = execFileSync('prometheus', ['--version'], { encoding: 'utf8', stdio: 'pipe' });
    const [, major = '0', minor = '0'] = /version (\d+)\.(\d+)/.exec(text) ?? [];
    const isNewer = Number(major) > LEAST[0] || (Number(major) === LEAST[0] && Number(minor) >= LEAST[1]);
    return isNewer ? null : `Prometheus ${LEAST.join('.')} or later is needed: ${install}`;
  } catch {
    return `Prometheus is not there: ${install}`;
  }
}

/** Addresses by job, as prometheus.yml names their files. */
function targetsOf({ ports }: StackSettings): Readonly<Record<string, string>> {
  const at = (port: number) => `127.0.0.1:${port}`;
  return {
    catalog: at(ports.metrics),
    lake: at(ports.exporter),
    trino: at(ports.trino),
    prometheus: at(ports.prometheus),
  };
}

/** A folder with the configuration of the checkout and targets of its own, as Prometheus takes paths from where its file lies. */
export function writeConfiguration(folder: string, targets: Readonly<Record<string, string>>): void {
  mkdirSync(join(folder, 'targets'), { recursive: true });
  for (const name of ['prometheus.yml', 'rules']) {
    rmSync(join(folder, name), { force: true });
    symlinkSync(join(CONFIGURATION, name), join(folder, name));
  }
  for (const [job, target] of Object.entries(targets)) {
    const file = join(folder, 'targets', `${job}.yml`);
    const text = `- targets: ['${target}']\n`;
    if (!existsSync(file) || readFileSync(file, 'utf8') !== text) writeFileSync(file, text);
  }
}
