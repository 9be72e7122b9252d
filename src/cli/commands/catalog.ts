import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { InvalidArgumentError } from 'commander';
import { pino } from 'pino';
import { LakeError } from '../../errors.ts';
import type { CommandFactory } from '../command.ts';
import { withExamples } from '../command.ts';
import type { Session } from '../session.ts';

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65535)
    throw new InvalidArgumentError('Write a port from 0 to 65535; 0 takes any free one.');
  return port;
}

/** `lake catalog …`: the project's catalog as a service. */
export const addCatalog: CommandFactory = (parent, run) => {
  const catalog = parent.command('catalog').description("the project's Iceberg REST catalog");
  const serve = catalog
    .command('serve')
    .description('serve the catalog by the Iceberg REST protocol, until Ctrl-C')
    .option('--host <host>', 'address to listen on', '127.0.0.1')
    .option('--port <port>', 'port to listen on; 0 takes any free one', parsePort, 8181)
    .action((options: { host: string; port: number }) => run((session) => serveCatalog(session, options)));
  withExamples(serve, [
    [
      'lake catalog serve --port 8181',
      'then, in Python: load_catalog("lake", type="rest", uri="http://127.0.0.1:8181")',
    ],
  ]);
  withExamples(catalog, [
    ['lake catalog serve --port 8181', 'let PyIceberg, Spark or Trino read and write the tables'],
  ]);
};

async function serveCatalog(session: Session, options: { host: string; port: number }): Promise<void> {
  const config = await session.config();
  if (config.catalog.kind !== 'embedded') {
    throw new LakeError(
      'usage',
      `This project uses the catalog at ${config.catalog.uri}: there is none of its own to serve.`,
      {
        where: config.file,
        hint: 'Write `catalog: { embedded: ./.lake/catalog.db }` to keep the catalog in the project.',
      },
    );
  }
  const { startCatalogServer } = await import('../../../catalog/server.ts');
  const { openLakeStore } = await import('../../project/lake-store.ts');
  const { database } = config.catalog;
  await mkdir(dirname(database), { recursive: true });
  const tiers = config.tiers.map(({ name, location }) => ({ name, location }));
  const warehouse = tiers[0]?.location ?? config.warehouse;
  const logger = pino({ level: 'warn' }, { write: (line: string) => session.output.note(line.trimEnd()) });
  const server = await startCatalogServer({
    database,
    warehouse,
    tiers,
    ...options,
    clock: session.clock,
    objects: await openLakeStore(config, session.clock),
    logger,
  });
  session.output.note(`catalog of "${config.name}" answers at ${server.address} (Ctrl-C stops it)`);
  if (session.output.format !== 'text') session.output.result({ address: server.address, warehouse }, '');
  await session.terminal.stopRequested();
  await server.close();
}
