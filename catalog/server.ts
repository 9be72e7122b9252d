import type { FastifyBaseLogger, FastifyInstance } from 'fastify';
import { pino } from 'pino';
import type { Clock } from '../src/clock.ts';
import { LakeError } from '../src/errors.ts';
import type { ObjectStore } from '../src/storage/object-store.ts';
import { openStore } from '../src/storage/store.ts';
import { buildCatalogApp, type CatalogAppOptions } from './app.ts';
import { principalOf } from './auth/caller.ts';
import { refuseOpenToOthers, refuseOtherHosts } from './auth/loopback.ts';
import { type MetricsServer, startMetricsServer } from './operations/metrics-server.ts';
import { DEFAULT_SHUTDOWN_GRACE_MS, type ServeOptions } from './operations/serve-options.ts';
import { Serving } from './operations/serving.ts';
import { timed } from './operations/timed.ts';
import { openCatalogStore } from './store/open-store.ts';

/** What the app is told beside what the server opens for it. */
type AppSettings = Pick<
  CatalogAppOptions,
  'auth' | 'vending' | 'tiers' | 'roots' | 'allowedLocations' | 'namespaceSeparator' | 'scanPlanningMode'
>;

export interface CatalogServerOptions extends AppSettings {
  /** Path of the SQLite file, or URL of the PostgreSQL database. */
  readonly database: string;
  readonly warehouse: string;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly clock: Clock;
  /** Where the tables' metadata lies; default: the local disk. */
  readonly objects?: ObjectStore;
  readonly logger?: FastifyBaseLogger;
  /** TLS, limits, metrics. */
  readonly serve?: ServeOptions;
  /** Of Lakewarden, for the metrics. */
  readonly version?: string;
}

export interface CatalogServer {
  /** `http://host:port`, or https */
  readonly address: string;
  /** `http://host:port/metrics`, if there are metrics. */
  readonly metricsAddress: string | null;
  /** Lets running requests end, within the grace, and closes everything. The second call is the first one. */
  close(): Promise<void>;
}

/**
 * Serves the catalog over HTTP. Errors: `usage` for a host or port that cannot be listened on, or that others reach while auth is off, `invalid-file` for TLS files that are
 * none, those of `openCatalogStore`.
 */
export async function startCatalogServer(options: CatalogServerOptions): Promise<CatalogServer> {
  const { serve = {}, clock, version = 'unknown' } = options;
  refuseOpenToOthers(options.host, options.auth !== undefined);
  const log: FastifyBaseLogger = options.logger ?? pino({ level: 'silent' });
  const serving = new Serving({ options: serve, clock, version, log, principalOf });
  const app = await openedApp(options, serving, log);
  let metrics: MetricsServer | null = null;
  const graceMs = serve.shutdownGraceMs ?? DEFAULT_SHUTDOWN_GRACE_MS;
  const close = once(async () => {
    await stop(app, serving, graceMs, log);
    await metrics?.close();
    serving.metrics?.close();
  });
  try {
    if (serving.metrics !== null && serve.metrics !== undefined) {
      metrics = await startMetricsServer(serving.metrics, serve.metrics);
    }
    const address = await listen(app, options);
    return { address, metricsAddress: metrics?.address ?? null, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openedApp(
  options: CatalogServerOptions,
  serving: Serving,
  log: FastifyBaseLogger,
): Promise<FastifyInstance> {
  const { database, clock, warehouse, objects = openStore() } = options;
  const { metrics } = serving;
  try {
    const store = await openCatalogStore(database, clock);
    serving.observe(store);
    const app = buildCatalogApp({
      store: metrics === null ? store : timed(store, metrics.databaseDone),
      objects: metrics === null ? objects : timed(objects, metrics.storageDone),
      clock,
      warehouse,
      serving,
      logger: log,
      ...settingsOf(options),
    });
    // A proxy that is named lets in whom it means to.
    if (options.auth === undefined && options.serve?.trustedProxies === undefined) refuseOtherHosts(app);
    return app;
  } catch (error) {
    serving.servers.close();
    throw error;
  }
}

function settingsOf(options: AppSettings): AppSettings {
  const { auth, vending, tiers, roots, allowedLocations, namespaceSeparator, scanPlanningMode } = options;
  return {
    ...(auth === undefined ? {} : { auth }),
    ...(vending === undefined ? {} : { vending }),
    ...(tiers === undefined ? {} : { tiers }),
    ...(roots === undefined ? {} : { roots }),
    ...(allowedLocations === undefined ? {} : { allowedLocations }),
    ...(namespaceSeparator === undefined ? {} : { namespaceSeparator }),
    ...(scanPlanningMode === undefined ? {} : { scanPlanningMode }),
  };
}

async function listen(app: FastifyInstance, { host, port, serve }: CatalogServerOptions): Promise<string> {
  const { level } = app.log;
  try {
    // Whoever starts the server tells its address, once and not for each interface.
    app.log.level = 'warn';
    const address = await app.listen({ host, port });
    // The app does not know what kind of server it was given.
    return serve?.tls === undefined ? address : address.replace(/^http:/, 'https:');
  } catch (error) {
    if (error instanceof LakeError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new LakeError('usage', `The catalog cannot listen on ${host}:${port}: ${reason}`, {
      hint: 'Choose another --host or --port (0 takes a free one).',
      cause: error,
    });
  } finally {
    app.log.level = level;
  }
}

/** No new requests; those at work end, or are cut off when the grace is over: their clients take the outcome for unknown. */
async function stop(
  app: FastifyInstance,
  serving: Serving,
  graceMs: number,
  log: FastifyBaseLogger,
): Promise<void> {
  const { admission, servers } = serving;
  admission.stop();
  const cut = setTimeout(() => {
    log.warn({ requests: admission.inFlight }, 'the grace is over: connections are cut');
    servers.cut();
  }, graceMs);
  try {
    await app.close();
  } finally {
    clearTimeout(cut);
    servers.close();
  }
}

function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => {
    done ??= work();
    return done;
  };
}
