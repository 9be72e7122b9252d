import { Dice } from './dice.ts';
import { type FuzzedCatalog, fuzzedCatalog } from './fuzzed-catalog.ts';
import { garbagePool } from './garbage.ts';
import { liesInside } from './places.ts';
import { nextRequest } from './requests.ts';
import { problemOf } from './wire-check.ts';
import { type FuzzAnswer, type FuzzRequest, type Json, keyOf, World } from './world.ts';

export interface FuzzReport {
  readonly requests: number;
  /** Answers by status, those of 503 by what they say. */
  readonly statuses: Readonly<Record<string, number>>;
  /** What no answer may be, once for each kind, with the request. */
  readonly problems: readonly string[];
  /** Bytes of heap in use, after the first tenth of the run and at its end. */
  readonly heap: readonly [number, number];
  readonly tables: number;
}

/** Told every so often in a long run: how many requests are done, and the kinds of problems so far. */
type Progress = (done: number, problems: readonly string[]) => void;
const PROGRESS_EVERY = 2500;

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** Requests that may take a table away, whatever their body says. */
const MAY_REMOVE = /DELETE|rename|unregister|purge|register|undrop/;

/** Sends `requests` random requests to a fresh catalog; the same ones for the same seed, as far as its answers are the same. */
export async function fuzz(seed: number, requests: number, progress?: Progress): Promise<FuzzReport> {
  const dice = new Dice(seed);
  const catalog = await fuzzedCatalog(dice);
  try {
    const run = new Run(catalog, new World(dice, garbagePool(seed), catalog.places, catalog.metadataFiles));
    return await run.all(requests, progress);
  } finally {
    await catalog.close();
  }
}

class Run {
  readonly #catalog: FuzzedCatalog;
  readonly #world: World;
  readonly #problems = new Map<string, string>();
  readonly #statuses: Record<string, number> = {};
  readonly #judged = new Set<string>();
  #at = 0;

  constructor(catalog: FuzzedCatalog, world: World) {
    this.#catalog = catalog;
    this.#world = world;
  }

  async all(requests: number, progress?: Progress): Promise<FuzzReport> {
    let warm = 0;
    for (this.#at = 0; this.#at < requests; this.#at++) {
      if (this.#at === Math.floor(requests / 10)) warm = heapUsed();
      if (this.#at % PROGRESS_EVERY === 0) progress?.(this.#at, [...this.#problems.keys()]);
      await this.#next();
    }
    await this.#reconcile(null);
    await this.#checkEnd();
    return {
      requests,
      statuses: this.#statuses,
      problems: [...this.#problems.values()],
      heap: [warm, heapUsed()],
      tables: this.#world.tables.size,
    };
  }

  async #next(): Promise<void> {
    const { dice } = this.#world;
    const request = nextRequest(this.#world);
    if (dice.chance(0.02)) return this.#overSocket(request);
    if (dice.chance(0.02)) return this.#burst();
    await this.#one(request);
  }

  async #one(request: FuzzRequest): Promise<void> {
    let answer: FuzzAnswer;
    try {
      answer = await this.#catalog.send(request);
    } catch (error) {
      // What the injecting client itself cannot make a request of; the socket's one sends such.
      if (error instanceof TypeError && error.stack?.includes('light-my-request')) return;
      // A body nested too deep for its writer.
      if (error instanceof RangeError) return;
      throw error;
    }
    await this.#take(request, answer);
  }

  /** Several at once: none of them may take away what another one asks for. */
  async #burst(): Promise<void> {
    const made = Array.from({ length: 6 }, () => nextRequest(this.#world)).filter(
      ({ says }) =>
        says === 'commit' || says === 'load table' || says === 'plan scan' || says.startsWith('list'),
    );
    await Promise.all(made.map(({ done: _, ...request }) => this.#one(request)));
  }

  async #overSocket({ done: _, ...request }: FuzzRequest): Promise<void> {
    const answer = await this.#catalog.sendRaw(this.#world.dice, request);
    if (answer === null) return;
    this.#count(answer);
    if (answer.status >= 500 && answer.status !== 503)
      this.#problem(request, `status ${answer.status} over a socket`, answer);
    if (request.method !== 'GET' && request.method !== 'HEAD') await this.#reconcile(request);
  }

  async #take(request: FuzzRequest, answer: FuzzAnswer): Promise<void> {
    this.#count(answer);
    const problem = problemOf(request, answer);
    if (problem !== null) this.#problem(request, problem, answer);
    const ok = answer.status >= 200 && answer.status < 300;
    this.#note(request, answer);
    if (!ok) return;
    this.#checkPlaces(request, answer.json);
    if (request.done !== undefined) request.done(this.#world, answer);
    else if (request.method !== 'GET' && request.method !== 'HEAD' && answer.status !== 304)
      await this.#reconcile(request);
  }

  #count({ status, text }: FuzzAnswer): void {
    const shown = status === 503 ? `503 ${text.slice(0, 200)}` : String(status);
    this.#statuses[shown] = (this.#statuses[shown] ?? 0) + 1;
  }

  #note(request: FuzzRequest, { json }: FuzzAnswer): void {
    const world = this.#world;
    const key = request.headers['idempotency-key'];
    if (key !== undefined && UUID.test(key) && request.method !== 'GET') {
      world.keys.push({ key, request });
      if (world.keys.length > 30) world.keys.shift();
    }
    world.keep(world.pageTokens, json?.['next-page-token']);
    world.keep(world.ids, json?.['lease-id']);
  }

  #problem(request: FuzzRequest, what: string, answer?: FuzzAnswer): void {
    const kind = `${request.says.split(',')[0]}: ${what.slice(0, 120)}`;
    if (this.#problems.has(kind)) return;
    const { method, url, headers, body, raw } = request;
    const shown =
      raw ?? JSON.stringify(body, (_, value) => (typeof value === 'bigint' ? `${value}n` : value));
    const said = answer === undefined ? '' : `\n  ${answer.status} ${answer.text.slice(0, 400)}`;
    this.#problems.set(
      kind,
      `#${this.#at} ${request.says}: ${what}\n  ${method} ${url.slice(0, 300)} ${JSON.stringify(headers)}\n  ${shown?.slice(0, 1500)}${said}`,
    );
  }

  /** All locations that a table's or view's metadata names, as it was answered. */
  #checkPlaces(request: FuzzRequest, json: Json): void {
    const { metadata } = json ?? {};
    if (typeof metadata !== 'object' || metadata === null) return;
    const named: unknown[] = [
      json['metadata-location'],
      metadata.location,
      ...[
        'write.data.path',
        'write.metadata.path',
        'write.object-storage.path',
        'write.folder-storage.path',
      ].map((name) => metadata.properties?.[name]),
      ...(metadata.snapshots ?? []).map((one: Json) => one['manifest-list']),
      ...(metadata.statistics ?? []).map((one: Json) => one['statistics-path']),
      ...(metadata['partition-statistics'] ?? []).map((one: Json) => one['statistics-path']),
      ...(metadata['metadata-log'] ?? []).map((one: Json) => one['metadata-file']),
    ];
    for (const location of named) {
      if (typeof location !== 'string' || this.#judged.has(location)) continue;
      if (liesInside(this.#catalog.places, location)) this.#judged.add(location);
      else this.#problem(request, `an accepted location lies outside: ${location}`);
    }
  }

  /** Compares the world with what the catalog holds; `request` is one whose effect was not known beforehand. */
  async #reconcile(request: FuzzRequest | null): Promise<void> {
    const { json } = await this.#catalog.send({
      says: 'all',
      method: 'GET',
      url: '/lake/v1/tables',
      headers: {},
    });
    const held = new Map<string, Json>((json.tables as Json[]).map((one) => [keyOf(one), one]));
    const asked = request === null ? '' : `${request.method} ${request.url}`;
    for (const key of this.#world.tables.keys()) {
      if (held.has(key)) continue;
      this.#world.tables.delete(key);
      if (!MAY_REMOVE.test(asked)) this.#problem(request ?? END, `table ${JSON.stringify(key)} is lost`);
    }
    for (const [key, { namespace, name, 'metadata-location': location }] of held) {
      if (this.#world.tables.has(key)) continue;
      this.#world.tables.set(key, { name: { namespace, name }, location, metadata: null });
      if (request === null) this.#problem(END, `table ${JSON.stringify(key)} was never answered for`);
    }
  }

  async #checkEnd(): Promise<void> {
    const places: string[] = [];
    for (const { name } of this.#world.tables.values()) {
      const path = `/v1/namespaces/${name.namespace.map((one) => encodeURIComponent(one)).join('%1F')}/tables/${encodeURIComponent(name.name)}`;
      const request: FuzzRequest = { says: 'load at the end', method: 'GET', url: path, headers: {} };
      const answer = await this.#catalog.send(request);
      if (answer.status !== 200)
        this.#problem(request, `a table that cannot be loaded: ${answer.status}`, answer);
      else {
        this.#checkPlaces(request, answer.json);
        places.push(String(answer.json.metadata.location).replace(/\/+$/, ''));
      }
    }
    places.sort();
    for (const [at, place] of places.entries()) {
      const next = places[at + 1];
      if (next !== undefined && (next === place || next.startsWith(`${place}/`))) {
        this.#problem(END, `a table lies inside of another one's location: ${next} in ${place}`);
      }
    }
    for (const location of this.#catalog.escapes)
      this.#problem(END, `written or deleted outside: ${location}`);
    for (const path of await this.#catalog.strayFiles()) this.#problem(END, `a stray file: ${path}`);
  }
}

const END: FuzzRequest = { says: 'the end', method: 'GET', url: '', headers: {} };

function heapUsed(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}
