import { type ChildProcess, spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../free-port.ts';
import { type FaultyProxy, startFaultyProxy } from '../stack/faulty-proxy.ts';

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');
const START_MS = 60_000;

interface Replica {
  readonly port: number;
  /** What clients talk to. */
  readonly proxy: FaultyProxy;
  child: ChildProcess;
  /** When it answers. */
  up: Promise<void>;
}

/** `lake catalog serve` in processes of their own on one database, each behind a proxy of its own, to be killed at any moment. */
export class CatalogServers {
  readonly #replicas: readonly Replica[];
  readonly #folder: string;
  kills = 0;

  private constructor(replicas: readonly Replica[], folder: string) {
    this.#replicas = replicas;
    this.#folder = folder;
  }

  /** @param database a SQLite file or a `postgres://` URL */
  static async start(folder: string, database: string, replicas: number): Promise<CatalogServers> {
    await writeFile(
      join(folder, 'lake.yaml'),
      `version: 1
name: writers
warehouse: ./warehouse
catalog: { embedded: ${JSON.stringify(database)}, serve: { log: { level: error } } }
tiers: { hot: { location: "{warehouse}/hot" } }
`,
    );
    const started: Replica[] = [];
    for (let at = 0; at < replicas; at++) {
      const port = await freePort();
      const proxy = await startFaultyProxy(`http://127.0.0.1:${port}`);
      const child = serve(folder, port);
      started.push({ port, proxy, child, up: answers(child, port) });
    }
    const servers = new CatalogServers(started, folder);
    await servers.up().catch(async (error: unknown) => {
      await servers.close();
      throw error;
    });
    return servers;
  }

  get proxies(): readonly FaultyProxy[] {
    return this.#replicas.map(({ proxy }) => proxy);
  }

  /** Returns when no server is dead or on its way up. */
  async up(): Promise<void> {
    await Promise.all(this.#replicas.map(({ up }) => up));
  }

  /** By SIGKILL, and starts it again. Returns when it is dead; see `up`. */
  async kill(at: number): Promise<void> {
    const replica = this.#replicas[at % this.#replicas.length];
    if (replica === undefined) return;
    const { promise: up, resolve, reject } = Promise.withResolvers<void>();
    // Nobody may be waiting for it.
    up.catch(() => {});
    replica.up = up;
    await ended(replica.child, 'SIGKILL');
    this.kills++;
    replica.child = serve(this.#folder, replica.port);
    answers(replica.child, replica.port).then(resolve, reject);
  }

  async close(): Promise<void> {
    await Promise.all(this.#replicas.map(({ child }) => ended(child, 'SIGKILL')));
    await Promise.all(this.#replicas.map(({ proxy }) => proxy.close()));
  }
}

function serve(folder: string, port: number): ChildProcess {
  const words = ['--disable-warning=ExperimentalWarning', MAIN, 'catalog', 'serve', '--port', `${port}`];
  return spawn(process.execPath, words, {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), 'lake-test-compile-cache') },
  });
}

async function answers(child: ChildProcess, port: number): Promise<void> {
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-5000);
  });
  const until = performance.now() + START_MS;
  while (performance.now() < until) {
    if (child.exitCode !== null) throw new Error(`the catalog ended with ${child.exitCode}: ${said}`);
    const answer = await fetch(`http://127.0.0.1:${port}/v1/config`).catch(() => undefined);
    if (answer?.ok === true) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`the catalog does not answer: ${said}`);
}

async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await exit;
}
