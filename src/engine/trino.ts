import { createRequire } from 'node:module';
import type { AxiosStatic } from 'axios';
import { BasicAuth, type QueryResult, Trino } from 'trino-client';
import { type Clock, systemClock } from '../clock.ts';
import { LakeError } from '../errors.ts';
import type { Row } from './row-values.ts';
import { refuseOtherServer } from './trino-address.ts';
import { cancelledError, isPassing, isUnsent, transportError, trinoError } from './trino-error.ts';
import { rowReader, type TrinoColumn } from './trino-values.ts';

export type { TrinoColumn } from './trino-values.ts';

/** No answer of Trino takes longer: it tells of a running query every second. */
const TIMEOUT_MS = 60_000;
/** A poll that fails is sent again after these pauses, ms: Trino answers a repeated poll with the same page. */
const PAUSES_MS = [100, 300, 1000, 2000, 4000];

// trino-client's own axios: an ESM import of axios would be another instance of the module.
const axios: AxiosStatic = createRequire(import.meta.resolve('trino-client'))('axios');
// Trino writes bigint values as JSON numbers, some of them beyond what a double holds. trino-client leaves the reading to axios, which takes it from here.
axios.defaults.transformResponse = [exactJson];
axios.defaults.timeout = TIMEOUT_MS;
// User and password go with every request. trino-client follows whatever address an answer names; no request gets past these two.
axios.defaults.maxRedirects = 0;
const send = axios.getAdapter('http');
axios.defaults.adapter = async (config) => {
  refuseOtherServer(String(config.baseURL), String(config.url));
  return send(config);
};

/** Engines that have begun something and not seen its end. */
const engines = new Set<TrinoEngine>();

/** Cancels all that runs at Trino for this process, for good. Returns when Trino has been told, or cannot be; false if there was nothing. */
export async function cancelAll(): Promise<boolean> {
  const busy = [...engines];
  await Promise.all(busy.map((engine) => engine.cancel()));
  return busy.length > 0;
}

export interface TrinoPage {
  readonly columns: readonly TrinoColumn[];
  readonly rows: readonly (readonly unknown[])[];
}

export interface TrinoServer {
  /** `http://host:port` */
  readonly server: string;
  readonly catalog: string;
  readonly user: string;
  readonly password?: string;
}

/** SQL on a Trino server, by its REST protocol; times are in UTC. An answer that is left before its end is cancelled at the server. */
export class TrinoEngine {
  readonly #trino: Trino;
  readonly #server: string;
  readonly #clock: Clock;
  /** Ids of queries that run. */
  readonly #running = new Set<string>();
  /** Requests under way that begin or cancel a query. */
  readonly #turns = new Set<Promise<unknown>>();
  #isStopped = false;
  readonly catalog: string;

  constructor({ server, catalog, user, password }: TrinoServer, clock: Clock = systemClock) {
    this.#server = server;
    this.#clock = clock;
    this.catalog = catalog;
    this.#trino = Trino.create({
      server,
      catalog,
      ...(password === undefined ? {} : { auth: new BasicAuth(user, password) }),
      source: 'lakewarden',
      extraHeaders: {
        'X-Trino-User': user,
        'X-Trino-Time-Zone': 'UTC',
        // Without it times are cut to milliseconds.
        'X-Trino-Client-Capabilities': 'PARAMETRIC_DATETIME',
      },
    });
  }

  /**
   * The answer's pages as they come; integers beyond a double's are `bigint`. Errors: `usage` for SQL that is refused, `not-found`, `forbidden`,
   * `invalid-argument`, `unsupported`, `unavailable`.
   */
  async *pages(sql: string): AsyncGenerator<TrinoPage> {
    let columns: readonly TrinoColumn[] = [];
    for await (const { columns: found, data } of this.#results(sql)) {
      columns = found ?? columns;
      if (data !== undefined && data.length > 0) yield { columns, rows: data };
    }
  }

  /** All rows of a small answer. */
  async rows(sql: string): Promise<(readonly unknown[])[]> {
    const rows: (readonly unknown[])[] = [];
    for await (const page of this.pages(sql)) rows.push(...page.rows);
    return rows;
  }

  /** The rows of an answer as they come, JSON-safe, as the embedded engine gives them (see `valueJson`). */
  async *objects(sql: string): AsyncGenerator<Row> {
    for await (const { columns, rows } of this.pages(sql)) {
      const toObject = rowReader(columns);
      for (const row of rows) yield toObject(row);
    }
  }

  /** The columns of a query, without running it. Errors: as `pages`. */
  async describe(sql: string): Promise<readonly TrinoColumn[]> {
    let columns: readonly TrinoColumn[] = [];
    for await (const state of this.#results(`SELECT * FROM (\n${sql}\n) AS q LIMIT 0`)) {
      columns = state.columns ?? columns;
    }
    return columns;
  }

  /** Runs a statement for its effect; how many rows it wrote, 0 where it tells none. Errors: as `pages`; `unknown-outcome` where Trino is lost before it said how the statement ended. */
  async run(sql: string): Promise<number> {
    try {
      let count = 0;
      for await (const { data } of this.#results(sql)) count = Number(data?.[0]?.[0] ?? count);
      return count;
    } catch (error) {
      if (!(error instanceof LakeError) || error.cause === undefined || isUnsent(error.cause)) throw error;
      throw new LakeError('unknown-outcome', `${error.message}, in the middle of a statement that writes`, {
        hint: 'It may be done or not; look at the table before you repeat it.',
        cause: error.cause,
      });
    }
  }

  /** Cancels all that runs, for good: its answers end with an error, and so does what is asked later. Returns when Trino has been told, or cannot be. */
  async cancel(): Promise<void> {
    this.#isStopped = true;
    for (const id of this.#running) void this.#cancel(id);
    // What is just being sent is cancelled by its own asker, once Trino has named it.
    while (this.#turns.size > 0) await Promise.allSettled(this.#turns);
  }

  /** Every state that Trino tells, the first of them without waiting. A failed query is thrown. */
  async *#results(sql: string): AsyncGenerator<QueryResult> {
    if (this.#isStopped) throw cancelledError();
    const results = await this.#turn(this.#once(() => this.#trino.query(sql)));
    const id = queryId(results);
    if (id === null) throw transportError(new Error('it is no state of a query'), this.#server);
    engines.add(this);
    this.#running.add(id);
    try {
      if (this.#isStopped) throw cancelledError(new Error('it was cancelled as soon as it was sent'));
      for (;;) {
        const { done, value }: IteratorResult<QueryResult, QueryResult> = await this.#polled(() =>
          results.next(),
        );
        // A proxy's page in between must not pass for the end of the rows.
        if (value?.id !== id) throw transportError(new Error('it is no state of the query'), this.#server);
        if (value.error !== undefined) {
          this.#ended(id);
          throw trinoError(value.error, sql);
        }
        if (done === true || value.nextUri === undefined) this.#ended(id);
        if (done === true) return;
        yield value;
      }
    } finally {
      if (this.#running.has(id)) await this.#cancel(id);
    }
  }

  #ended(id: string): void {
    this.#running.delete(id);
    this.#rest();
  }

  async #cancel(id: string): Promise<void> {
    this.#running.delete(id);
    // Trino itself gives up a query that nobody asks for.
    await this.#turn(this.#trino.cancel(id)).catch(() => undefined);
  }

  async #turn<T>(request: Promise<T>): Promise<T> {
    engines.add(this);
    this.#turns.add(request);
    try {
      return await request;
    } finally {
      this.#turns.delete(request);
      this.#rest();
    }
  }

  #rest(): void {
    if (this.#running.size === 0 && this.#turns.size === 0) engines.delete(this);
  }

  async #once<T>(request: () => Promise<T>): Promise<T> {
    try {
      return await request();
    } catch (cause) {
      throw transportError(cause, this.#server);
    }
  }

  async #polled<T>(poll: () => Promise<T>): Promise<T> {
    for (const pause of PAUSES_MS) {
      try {
        return await poll();
      } catch (cause) {
        if (!isPassing(cause)) throw transportError(cause, this.#server);
      }
      await this.#clock.sleep(pause);
    }
    return this.#once(poll);
  }
}

/** trino-client gives a state once there are rows, and a query has to be cancelled before, too: its first state, which it keeps to itself, names it. */
function queryId(results: object): string | null {
  const iterator: unknown = Reflect.get(results, 'iter');
  const state: unknown = Reflect.get(Object(iterator), 'queryResult');
  const id: unknown = Reflect.get(Object(state), 'id');
  return typeof id === 'string' ? id : null;
}

function exactJson(text: unknown): unknown {
  if (typeof text !== 'string' || text === '') return text;
  // Most pages hold no such number, and are read ten times as fast without looking at each value.
  if (!/\d{16}/.test(text)) return jsonOrText(text);
  return jsonOrText(text, (_key, value, context) =>
    typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? '')
      ? BigInt(context?.source ?? value)
      : value,
  );
}

type Reviver = (key: string, value: unknown, context?: { source?: string }) => unknown;

/** An error's page may be HTML. */
function jsonOrText(text: string, reviver?: Reviver): unknown {
  try {
    return JSON.parse(text, reviver);
  } catch {
    return text;
  }
}
