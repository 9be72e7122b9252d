import {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyRequest,
  type FastifyServerOptions,
  LogController,
} from 'fastify';
import type { Clock } from '../../src/clock.ts';
import { Admission } from './admission.ts';
import { HttpServers } from './http-server.ts';
import { CatalogMetrics } from './metrics.ts';
import { logRequests, requestIds } from './request-log.ts';
import { countRequests } from './request-metrics.ts';
import { DEFAULT_LIMITS, type ServeLimits, type ServeOptions } from './serve-options.ts';
import { addSizeGauges, type SizedStore } from './size-gauges.ts';

interface ServingParts {
  readonly options: ServeOptions;
  readonly clock: Clock;
  readonly version: string;
  readonly log: FastifyBaseLogger;
  /** See `AdmissionOptions`. */
  readonly principalOf: (request: FastifyRequest) => string | null;
}

/** What a served catalog has around its routes: the listening servers, limits, request log and metrics. */
export class Serving {
  readonly limits: ServeLimits;
  readonly admission: Admission;
  readonly servers: HttpServers;
  /** Null if nobody asked for them. */
  readonly metrics: CatalogMetrics | null;
  readonly #parts: ServingParts;

  /** Errors: `invalid-file` for TLS files that are none. */
  constructor(parts: ServingParts) {
    const { options, log, version, principalOf } = parts;
    this.#parts = parts;
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.metrics = options.metrics === undefined ? null : new CatalogMetrics(version);
    this.admission = new Admission({
      limits: this.limits,
      principalOf,
      onReject: (reason) => this.metrics?.rejected(reason),
    });
    this.servers = new HttpServers({
      tls: options.tls,
      limits: this.limits,
      tlsLookMs: options.tlsLookMs,
      onTlsProblem: (error) => log.error(error, 'the changed TLS files are not used; the old ones are'),
      onTlsRenewed: () => log.info('the TLS files changed and are in use'),
    });
    this.metrics?.gauge('http_requests_in_flight', 'Requests at work.', [], (gauge) =>
      gauge.set(this.admission.inFlight),
    );
  }

  /** Options of the app. */
  app(): FastifyServerOptions {
    const { options, clock } = this.#parts;
    return {
      serverFactory: (handler) => this.servers.make(handler),
      bodyLimit: this.limits.bodyBytes,
      // A request while the server stops gets the error form of the protocol, from `Admission`.
      return503OnClosing: false,
      forceCloseConnections: 'idle',
      // One line a request is `logRequests`'.
      logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request_id' }),
      requestIdHeader: false,
      genReqId: requestIds(clock),
      ...(options.trustedProxies === undefined ? {} : { trustProxy: [...options.trustedProxies] }),
    };
  }

  /** What the catalog holds, as Prometheus asks for it. */
  observe(store: SizedStore): void {
    if (this.metrics !== null) addSizeGauges(this.metrics, store, this.#parts.clock);
  }

  /** Before the routes are added. */
  install(app: FastifyInstance): void {
    // First of all: what is sent away is logged and counted too.
    logRequests(app, this.#parts.principalOf);
    if (this.metrics !== null) countRequests(app, this.metrics);
    this.admission.guard(app);
  }
}
