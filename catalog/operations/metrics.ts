import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { type ErrorKind, LakeError } from '../../src/errors.ts';
import { commitRetried, type MetadataAsked, metadataAsked } from '../service/events.ts';
import type { RejectReason } from './admission.ts';
import type { Observe } from './timed.ts';

export type CommitKind = 'table' | 'transaction' | 'view' | 'relocation';
/** `refused`: not applied, for another reason than a conflict. */
export type CommitOutcome = 'committed' | 'conflict' | 'unknown' | 'refused';

const PREFIX = 'lakewarden_catalog_';
/** From a cached load to a commit with a slow object store. */
const REQUEST_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const OPERATION_SECONDS = [0.0001, 0.00025, 0.001, 0.0025, 0.01, 0.025, 0.1, 0.25, 1, 2.5, 10];

/** What one server counts for Prometheus. No label takes its values from clients: routes are templates, tables are never named. */
export class CatalogMetrics {
  readonly registry = new Registry();
  readonly #requests = this.#counter('http_requests_total', 'Requests answered.', [
    'route',
    'method',
    'status',
  ]);
  readonly #duration = this.#histogram(
    'http_request_duration_seconds',
    'Time from the request line to the end of the answer.',
    ['route', 'method'],
    REQUEST_SECONDS,
  );
  readonly #rejected = this.#counter(
    'http_requests_rejected_total',
    'Requests sent away before anything was done.',
    ['reason'],
  );
  readonly #commits = this.#counter('commits_total', 'Commits by what became of them.', ['kind', 'outcome']);
  readonly #retries = this.#counter(
    'commit_retries_total',
    'Commits applied anew by the server because another one came first.',
    [],
  );
  readonly #cache = this.#counter('metadata_cache_requests_total', 'Metadata files asked for.', ['result']);
  readonly #databaseSeconds = this.#histogram(
    'database_operation_duration_seconds',
    'Time of the operations on the database, with waiting for a connection.',
    ['operation'],
    OPERATION_SECONDS,
  );
  readonly #databaseErrors = this.#counter(
    'database_operation_errors_total',
    'Operations on the database that failed.',
    ['operation', 'kind'],
  );
  readonly #storageSeconds = this.#histogram(
    'storage_operation_duration_seconds',
    'Time of the operations on the object store.',
    ['operation'],
    OPERATION_SECONDS,
  );
  readonly #storageErrors = this.#counter(
    'storage_operation_errors_total',
    'Operations on the object store that failed.',
    ['operation', 'kind'],
  );

  readonly #onRetry = (): void => this.#retries.inc();
  readonly #onAsked = (message: unknown): void => {
    const isHit = isMetadataAsked(message) && message.cached;
    this.#cache.inc({ result: isHit ? 'hit' : 'miss' });
  };

  constructor(version: string) {
    collectDefaultMetrics({ register: this.registry });
    const build = this.gauge('build_info', 'Always 1; the labels say what runs.', [
      'version',
      'node_version',
    ]);
    build.set({ version, node_version: process.version }, 1);
    commitRetried.subscribe(this.#onRetry);
    metadataAsked.subscribe(this.#onAsked);
  }

  /** Ends the counting. */
  close(): void {
    commitRetried.unsubscribe(this.#onRetry);
    metadataAsked.unsubscribe(this.#onAsked);
    this.registry.clear();
  }

  requestDone(route: string, method: string, status: number, seconds: number): void {
    this.#requests.inc({ route, method, status: `${status}` });
    this.#duration.observe({ route, method }, seconds);
  }

  rejected(reason: RejectReason): void {
    this.#rejected.inc({ reason });
  }

  commitDone(kind: CommitKind, outcome: CommitOutcome): void {
    this.#commits.inc({ kind, outcome });
  }

  /** For `timed` over the catalog's store. */
  readonly databaseDone: Observe = (operation, seconds, error) => {
    this.#databaseSeconds.observe({ operation }, seconds);
    const kind = failureOf(error);
    if (kind !== null) this.#databaseErrors.inc({ operation, kind });
  };

  /** For `timed` over the object store. */
  readonly storageDone: Observe = (operation, seconds, error) => {
    this.#storageSeconds.observe({ operation }, seconds);
    const kind = failureOf(error);
    if (kind !== null) this.#storageErrors.inc({ operation, kind });
  };

  /** A gauge of this server; `collect` sets it when Prometheus asks. */
  gauge(
    name: string,
    help: string,
    labelNames: readonly string[] = [],
    collect?: (gauge: Gauge) => void | Promise<void>,
  ): Gauge {
    const gauge: Gauge = new Gauge({
      name: PREFIX + name,
      help,
      labelNames: [...labelNames],
      registers: [this.registry],
      ...(collect === undefined ? {} : { collect: () => collect(gauge) }),
    });
    return gauge;
  }

  /** A counter that another place counts; `collect` sets it when Prometheus asks. */
  counter(name: string, help: string, collect: (counter: Counter) => Promise<void>): void {
    const counter: Counter = new Counter({
      name: PREFIX + name,
      help,
      registers: [this.registry],
      collect: () => collect(counter),
    });
  }

  #counter(name: string, help: string, labelNames: readonly string[]): Counter {
    return new Counter({
      name: PREFIX + name,
      help,
      labelNames: [...labelNames],
      registers: [this.registry],
    });
  }

  #histogram(
    name: string,
    help: string,
    labelNames: readonly string[],
    buckets: readonly number[],
  ): Histogram {
    const registers = [this.registry];
    return new Histogram({
      name: PREFIX + name,
      help,
      labelNames: [...labelNames],
      buckets: [...buckets],
      registers,
    });
  }
}

function isMetadataAsked(message: unknown): message is MetadataAsked {
  return typeof message === 'object' && message !== null && 'cached' in message;
}

/** Answers, not failures: what is not there, what another one has changed, what is refused. */
const ANSWERS: readonly ErrorKind[] = [
  'not-found',
  'already-exists',
  'not-empty',
  'conflict',
  'invalid-argument',
  'unsupported',
];

/** Null for no failure. */
function failureOf(error: unknown): ErrorKind | null {
  if (error === undefined) return null;
  if (!(error instanceof LakeError)) return 'internal';
  const isRefusal = ANSWERS.includes(error.kind) || error.context['retryAfterSeconds'] !== undefined;
  return isRefusal ? null : error.kind;
}
