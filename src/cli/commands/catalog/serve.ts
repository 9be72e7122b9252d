import { InvalidArgumentError } from 'commander';
import type { ServeConfig } from '../../../project/serve-config.ts';
import type { CommandFactory } from '../../command.ts';
import { withExamples } from '../../command.ts';
import { packageVersion } from '../../package-files.ts';
import type { Session } from '../../session.ts';
import { ownCatalog } from './own-catalog.ts';

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65535)
    throw new InvalidArgumentError('Write a port from 0 to 65535; 0 takes any free one.');
  return port;
}

interface ServeFlags {
  readonly host?: string;
  readonly port?: number;
  readonly metricsHost?: string;
  readonly metricsPort?: number;
}

/** `lake catalog serve`: the project's catalog as a service. */
export const addCatalogServe: CommandFactory = (parent, run) => {
  const serve = parent
    .command('serve')
    .description('serve the catalog by the Iceberg REST protocol, until Ctrl-C; lake.yaml: catalog.serve')
    .option('--host <host>', 'address to listen on (default: 127.0.0.1)')
    .option('--port <port>', 'port to listen on; 0 takes any free one (default: 8181)', parsePort)
    .option('--metrics-port <port>', 'port for Prometheus metrics; none without it', parsePort)
    .option('--metrics-host <host>', 'address for Prometheus metrics (default: 127.0.0.1)')
    .action((flags: ServeFlags) => run((session) => serveCatalog(session, flags)));
  withExamples(serve, [
    [
      'lake catalog serve --port 8181',
      'then, in Python: load_catalog("lake", type="rest", uri="http://127.0.0.1:8181")',
    ],
    ['lake catalog serve --metrics-port 9181', 'Prometheus scrapes http://127.0.0.1:9181/metrics'],
  ]);
};

async function serveCatalog(session: Session, flags: ServeFlags): Promise<void> {
  const { config, database, warehouse, tiers } = await ownCatalog(session, 'serve');
  const { startCatalogServer } = await import('../../../../catalog/server.ts');
  const { catalogLog } = await import('../../../../catalog/operations/catalog-log.ts');
  const { openLakeStore, s3ServersOf } = await import('../../../project/lake-store.ts');
  const { host, port, metrics, log, auth, vending, allowedLocations, ...rest } = withFlags(
    config.serve,
    flags,
  );
  const { namespaceSeparator, scanPlanningMode, ...serve } = rest;
  const { stderr } = session.terminal;
  const logger = catalogLog({ ...log, write: (line) => stderr.write(`${line}\n`) });
  const server = await startCatalogServer({
    database,
    warehouse,
    tiers,
    roots: [config.warehouse],
    allowedLocations,
    vending: { ...vending, servers: s3ServersOf(config) },
    host,
    port,
    serve: { ...serve, ...(metrics === undefined ? {} : { metrics }) },
    ...(auth === undefined ? {} : { auth }),
    ...(namespaceSeparator === undefined ? {} : { namespaceSeparator }),
    ...(scanPlanningMode === undefined ? {} : { scanPlanningMode }),
    version: packageVersion(),
    clock: session.clock,
    objects: await openLakeStore(config, session.clock),
    logger,
  });
  const { address, metricsAddress } = server;
  if (log.format === 'json') {
    logger.info({ address, metrics: metricsAddress, auth: auth !== undefined }, 'the catalog answers');
  } else {
    const open = auth === undefined ? `; without auth: whoever ${callers(serve)} may do everything` : '';
    session.output.note(`catalog of "${config.name}" answers at ${address} (Ctrl-C stops it${open})`);
  }
  if (log.format === 'text' && metricsAddress !== null) session.output.note(`metrics at ${metricsAddress}`);
  if (session.output.format !== 'text') {
    const shown = metricsAddress === null ? {} : { metrics: metricsAddress };
    session.output.result({ address, warehouse, ...shown }, '');
  }
  await session.terminal.stopRequested();
  logger.info('stopping: requests at work end, new ones are refused');
  await server.close();
}

function callers({ trustedProxies }: Pick<ServeConfig, 'trustedProxies'>): string {
  return trustedProxies === undefined ? 'is on this machine' : 'the proxy lets through';
}

function withFlags(serve: ServeConfig, flags: ServeFlags): ServeConfig {
  const { host, port, metricsHost, metricsPort } = flags;
  const metricsAt = metricsPort ?? serve.metrics?.port;
  const metrics =
    metricsAt === undefined
      ? {}
      : { metrics: { host: metricsHost ?? serve.metrics?.host ?? '127.0.0.1', port: metricsAt } };
  return { ...serve, host: host ?? serve.host, port: port ?? serve.port, ...metrics };
}
