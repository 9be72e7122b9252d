import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import type { Clock } from '../src/clock.ts';
import { LakeError } from '../src/errors.ts';
import { parseJson, stringifyJson } from '../src/iceberg/json.ts';
import type { ObjectStore } from '../src/storage/object-store.ts';
import { Auth, type AuthSettings } from './auth/auth.ts';
import { auditChanges, authorize, guardRoutes } from './auth/guard.ts';
import { answerAgainIn } from './http/answer-again.ts';
import { errorBody, isRejection, retryAfter } from './http/error-response.ts';
import { replayRequests } from './http/idempotency.ts';
import { UNIT_SEPARATOR } from './http/request.ts';
import { refuseInMaintenance } from './operations/maintenance-gate.ts';
import type { Serving } from './operations/serving.ts';
import type { ScanPlanningMode } from './planning/planning-mode.ts';
import { ScanPlans } from './planning/scan-plans.ts';
import { allTables } from './routes/all-tables.ts';
import { auditLog } from './routes/audit.ts';
import { cancelPlanning } from './routes/cancel-planning.ts';
import { commitTable } from './routes/commit-table.ts';
import { commitTransaction } from './routes/commit-transaction.ts';
import { createNamespace } from './routes/create-namespace.ts';
import { createTable } from './routes/create-table.ts';
import { dropNamespace } from './routes/drop-namespace.ts';
import { dropTable } from './routes/drop-table.ts';
import { droppedTables } from './routes/dropped-tables.ts';
import { fetchPlanningResult } from './routes/fetch-planning-result.ts';
import { fetchScanTasks } from './routes/fetch-scan-tasks.ts';
import { endpointOf, getConfig } from './routes/get-config.ts';
import { grantRoutes } from './routes/grants.ts';
import { health } from './routes/health.ts';
import { leases } from './routes/leases.ts';
import { ledger } from './routes/ledger.ts';
import { listNamespaces } from './routes/list-namespaces.ts';
import { listTables } from './routes/list-tables.ts';
import { loadCredentials } from './routes/load-credentials.ts';
import { loadNamespace } from './routes/load-namespace.ts';
import { loadTable } from './routes/load-table.ts';
import { maintenance } from './routes/maintenance.ts';
import { metricsReports } from './routes/metrics-reports.ts';
import { oauthTokens } from './routes/oauth-tokens.ts';
import { openApiPage } from './routes/openapi.ts';
import { planTableScan } from './routes/plan-table-scan.ts';
import { principalRoutes } from './routes/principals.ts';
import { registerTable } from './routes/register-table.ts';
import { registerView } from './routes/register-view.ts';
import { relocationMoves } from './routes/relocation-moves.ts';
import { relocations } from './routes/relocations.ts';
import { renameTable } from './routes/rename-table.ts';
import { renameView } from './routes/rename-view.ts';
import { reportMetrics } from './routes/report-metrics.ts';
import { roleRoutes } from './routes/roles.ts';
import type { Route } from './routes/route.ts';
import { signTableRequest } from './routes/sign-request.ts';
import { swapRelocation } from './routes/swap-relocation.ts';
import { unregisterTable } from './routes/unregister-table.ts';
import { updateNamespace } from './routes/update-namespace.ts';
import { view } from './routes/view.ts';
import { views } from './routes/views.ts';
import type { CatalogTier } from './service/context.ts';
import { LocationRules } from './service/location-rules.ts';
import { MetadataFiles, TABLE_CODEC, VIEW_CODEC } from './service/metadata-files.ts';
import { Purges } from './service/purges.ts';
import type { JoinedCommit } from './service/table-change.ts';
import { TablePlaces } from './service/table-places.ts';
import { TableTurns } from './service/table-turns.ts';
import { runForNobody } from './store/applied-request.ts';
import type { CatalogStore } from './store/catalog-store.ts';
import { Vending, type VendingOptions } from './vending/vending.ts';

/** Metadata of tables with many snapshots is large, and so are journaled batches. */
const BODY_LIMIT_BYTES = 256 * 1024 * 1024;
const MAX_NAME_LENGTH = 8192;
const JSON_TYPE = 'application/json; charset=utf-8';

const ROUTES: readonly Route[] = [
  getConfig,
  listNamespaces,
  createNamespace,
  loadNamespace,
  updateNamespace,
  dropNamespace,
  listTables,
  createTable,
  loadTable,
  loadCredentials,
  signTableRequest,
  commitTable,
  dropTable,
  registerTable,
  unregisterTable,
  renameTable,
  views,
  view,
  renameView,
  registerView,
  reportMetrics,
  planTableScan,
  fetchPlanningResult,
  cancelPlanning,
  fetchScanTasks,
  commitTransaction,
  allTables,
  leases,
  relocations,
  relocationMoves,
  swapRelocation,
  ledger,
  droppedTables,
  metricsReports,
  health,
  maintenance,
  oauthTokens,
  principalRoutes,
  roleRoutes,
  grantRoutes,
  auditLog,
  openApiPage,
];

export interface CatalogAppOptions {
  readonly store: CatalogStore;
  readonly objects: ObjectStore;
  readonly clock: Clock;
  /** Location below which new tables are born. */
  readonly warehouse: string;
  readonly tiers?: readonly CatalogTier[];
  /** What tables lie below besides `warehouse` and the tiers: the lake's whole warehouse, where the hottest tier is a part of it. */
  readonly roots?: readonly string[];
  /** Further prefixes that tables may be given or registered at. */
  readonly allowedLocations?: readonly string[];
  /** How clients get at tables' files by credentials or signatures of this catalog; they do not if absent. */
  readonly vending?: VendingOptions;
  readonly logger?: FastifyBaseLogger;
  /** Parts the levels of a namespace in paths, besides U+001F, which it is if absent. */
  readonly namespaceSeparator?: string;
  /** What clients are told of who plans scans; they choose if absent. */
  readonly scanPlanningMode?: ScanPlanningMode;
  /** How callers are known; without it nobody is asked, and everybody may do everything. */
  readonly auth?: AuthSettings;
  /** Answer a drop with purge only when its files are gone. */
  readonly awaitPurges?: boolean;
  /** What a server has around the routes; absent inside of another process. */
  readonly serving?: Serving;
}

/** The REST catalog as a fastify app: the Iceberg protocol below `/v1`, relocations below `/lake/v1`. */
export function buildCatalogApp(options: CatalogAppOptions): FastifyInstance {
  const { store, objects, clock, warehouse, tiers = [], logger } = options;
  const app: FastifyInstance = Fastify({
    ...(logger === undefined ? {} : { loggerInstance: logger }),
    bodyLimit: BODY_LIMIT_BYTES,
    exposeHeadRoutes: false,
    // Paths that are no text never come to a route; without this they are answered in fastify's own form.
    frameworkErrors: (error, _request, reply: FastifyReply) => {
      const { error: told } = errorBody(error);
      const body = { error: { ...told, message: told.message.slice(0, 300) } };
      void reply.code(told.code).type(JSON_TYPE).serializer(JSON.stringify).send(body);
    },
    routerOptions: { maxParamLength: MAX_NAME_LENGTH },
    rewriteUrl: (request) => spacesInPath(request.url ?? '/'),
    ...options.serving?.app(),
  });
  app.decorate('namespaceSeparator', options.namespaceSeparator ?? UNIT_SEPARATOR);
  acceptJson(app);
  answerErrors(app, options.serving !== undefined);
  options.serving?.install(app);
  const files = new MetadataFiles(objects, clock, TABLE_CODEC);
  const viewFiles = new MetadataFiles(objects, clock, VIEW_CODEC);
  const auth = new Auth(store.access, clock, options.auth ?? null);
  const endpoints: string[] = [];
  const roots = [warehouse, ...(options.roots ?? []), ...tiers.map((tier) => tier.location)];
  const rules = new LocationRules([...new Set(roots)], options.allowedLocations ?? []);
  const places = new TablePlaces({ store, files, viewFiles }, rules, !auth.isOn);
  const vending = new Vending({ clock, places, tiers }, options.vending);
  const parts = {
    auth,
    store,
    objects,
    files,
    viewFiles,
    places,
    vending,
    clock,
    warehouse,
    tiers,
    endpoints,
  };
  const purges = new Purges(parts);
  const startPurges = purgeStarter(purges, options.awaitPurges === true);
  const context = {
    ...parts,
    turns: new TableTurns<JoinedCommit>(),
    purges,
    startPurges,
    ...(options.serving === undefined ? {} : { serving: options.serving }),
    scanPlans: new ScanPlans(objects, clock, (metadata) => places.reading(metadata)),
    namespaceSeparator: app.namespaceSeparator ?? UNIT_SEPARATOR,
    ...(options.scanPlanningMode === undefined ? {} : { scanPlanningMode: options.scanPlanningMode }),
  };
  guardRoutes(app, auth);
  app.addHook('onRoute', ({ method, url }) => {
    for (const one of [method].flat()) {
      const endpoint = endpointOf(one, url);
      if (endpoint !== null) endpoints.push(endpoint);
    }
  });
  const authorized = (request: FastifyRequest, reply: FastifyReply) => authorize(auth, request, reply);
  replayRequests(app, {
    store,
    clock,
    authorize: authorized,
    answerAgain: answerAgainIn(context, authorized),
  });
  refuseInMaintenance(app, {
    store,
    clock,
    onRefusal: () => options.serving?.metrics?.rejected('maintenance'),
  });
  auditChanges(app, auth);
  for (const route of ROUTES) route(app, context);
  app.addHook('onReady', async () => {
    // What an earlier process left behind.
    if (options.awaitPurges !== true) await startPurges(app.log);
  });
  app.addHook('onClose', async () => {
    await purges.stop();
    await store.close();
  });
  return app;
}

/** A server answers a drop before the files are gone; who runs the catalog inside of a short-lived process waits for them. */
function purgeStarter(purges: Purges, wait: boolean): (log: FastifyBaseLogger) => Promise<void> {
  return async (log) => {
    const run = runForNobody(() => purges.run()).then(
      (outcomes) => {
        for (const outcome of outcomes) log.info(outcome, 'purge of a dropped table');
      },
      (error: unknown) => log.error(error, 'purges of dropped tables'),
    );
    if (wait) await run;
  };
}

/** Java's client encodes names as forms do: a space comes as `+`, a plus as `%2B`. */
function spacesInPath(url: string): string {
  const query = url.indexOf('?');
  const end = query === -1 ? url.length : query;
  return url.slice(0, end).replaceAll('+', '%20') + url.slice(end);
}

/** JSON with 64-bit integers kept, both ways. */
function acceptJson(app: FastifyInstance): void {
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => {
    try {
      done(null, body === '' ? undefined : parseJson(String(body)));
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      done(new LakeError('invalid-argument', `The request body is no JSON: ${reason}`, { cause }));
    }
  });
  app.setReplySerializer((payload) => stringifyJson(payload));
}

function answerErrors(app: FastifyInstance, isServed: boolean): void {
  app.setErrorHandler((error, request, reply) => {
    const { error: told } = errorBody(error);
    const isFailure = told.code >= 500;
    const seconds = retryAfter(error, told.code);
    // What is sent away unheard is no failure, and may be much.
    if (isFailure && !isRejection(error)) request.log.error(error);
    if (seconds !== null) reply.header('retry-after', seconds);
    const body = { error: isFailure && isServed ? { ...told, 'request-id': request.id } : told };
    return reply.code(told.code).type(JSON_TYPE).send(body);
  });
  app.setNotFoundHandler((request, reply) => {
    const error = {
      message: `No such route: ${request.method} ${request.url}`,
      type: 'NotFoundException',
      code: 404,
    };
    return reply.code(404).type(JSON_TYPE).send({ error });
  });
}
