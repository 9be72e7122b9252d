import { mkdirSync } from 'node:fs';
import { BackgroundProcess, untilReady } from './background-process.ts';
import { catalog, lakeEnvironment } from './catalog.ts';
import { postgres } from './postgres.ts';
import { exporter, prometheus } from './prometheus.ts';
import { s3Server } from './s3-server.ts';
import type { Service } from './service.ts';
import type { StackSettings } from './settings.ts';
import { superset } from './superset.ts';
import { trino } from './trino.ts';

/** Longest start of a service, ms: Trino's on a busy machine. */
const START_MS = 300_000;
/** Trino, with all that it needs. */
const BY_DEFAULT = ['trino'];

type Say = (text: string) => void;

/** What a service does now. */
export interface ServiceStatus {
  readonly name: string;
  readonly state: 'running' | 'not answering' | 'stopped';
  readonly address: string;
  readonly pid: number | null;
  /** What the machine lacks for it, if anything. */
  readonly missing: string | null;
}

/** The services around a lake, on this machine, in the background. */
export class Stack {
  readonly #settings: StackSettings;
  /** In the order of their start. */
  readonly #services: readonly Service[];

  constructor(settings: StackSettings) {
    this.#settings = settings;
    mkdirSync(settings.folder, { recursive: true });
    this.#services = [
      s3Server('minio', settings),
      s3Server('versitygw', settings),
      postgres(settings),
      catalog(settings),
      trino(settings, () => trinoEnvironment(settings)),
      exporter(settings),
      prometheus(settings),
      superset(settings),
    ];
  }

  get names(): readonly string[] {
    return this.#services.map((service) => service.name);
  }

  /**
   * Starts the named services (the usual ones for no name) and those that they need, each once the ones before it answer.
   * @throws Error that says what the machine lacks before anything is started, or why one did not start
   */
  async up(names: readonly string[], say: Say): Promise<void> {
    const wanted = this.#withNeeds(names.length === 0 ? BY_DEFAULT : names);
    const missing = this.missing(names);
    if (missing.length > 0) throw new Error(`nothing was started:\n${missing.join('\n')}`);
    for (const service of wanted) await this.#start(service, say);
  }

  /** What the machine lacks for the named services and those that they need, and how to get it. */
  missing(names: readonly string[]): readonly string[] {
    const wanted = this.#withNeeds(names.length === 0 ? BY_DEFAULT : names);
    return wanted.flatMap((service) => service.missing() ?? []);
  }

  async #start(service: Service, say: Say): Promise<void> {
    const background = this.#process(service.name);
    const runs = background.pid() !== null;
    if (!runs) {
      const program = await service.prepare(say);
      if (await service.answers())
        throw new Error(
          `${service.name}: another program answers at ${service.address}; stop it or choose another port`,
        );
      background.start(program);
    }
    await untilReady(service.name, background, () => service.answers(), START_MS);
    await service.afterStart?.(say);
    say(`${service.name} ${runs ? 'runs already' : 'is up'} at ${service.address}`);
  }

  /** Stops the named services (all for no name), the last started first, and their children. Data stays. */
  async down(names: readonly string[], say: Say): Promise<void> {
    for (const service of [...this.#services].reverse()) {
      if (names.length > 0 && !names.includes(service.name)) continue;
      if (await this.#process(service.name).stop()) say(`${service.name} is down`);
    }
  }

  async status(): Promise<readonly ServiceStatus[]> {
    const told: ServiceStatus[] = [];
    for (const service of this.#services) {
      const pid = this.#process(service.name).pid();
      const state = pid === null ? 'stopped' : (await service.answers()) ? 'running' : 'not answering';
      told.push({ name: service.name, state, address: service.address, pid, missing: service.missing() });
    }
    return told;
  }

  /** Path of what a service printed. */
  logOf(name: string): string {
    return this.#process(name).log;
  }

  #process(name: string): BackgroundProcess {
    return new BackgroundProcess(this.#settings.folder, name);
  }

  #withNeeds(names: readonly string[]): readonly Service[] {
    const wanted = new Set<string>();
    const add = (name: string) => {
      const service = this.#services.find((one) => one.name === name);
      if (service === undefined) throw new Error(`no service "${name}"; there are ${this.names.join(', ')}`);
      wanted.add(name);
      for (const need of service.needs) add(need);
    };
    for (const name of names) add(name);
    return this.#services.filter((service) => wanted.has(service.name));
  }
}

function trinoEnvironment(settings: StackSettings): Readonly<Record<string, string>> {
  const lake = lakeEnvironment(settings);
  return {
    LAKE_CATALOG_URI: `http://127.0.0.1:${settings.ports.catalog}`,
    LAKE_CATALOG_CREDENTIAL: settings.credential('trino') ?? '',
    LAKE_S3_ENDPOINT: lake['LAKE_STORAGE__ENDPOINT'] ?? '',
    LAKE_S3_REGION: lake['LAKE_STORAGE__REGION'] ?? '',
  };
}
