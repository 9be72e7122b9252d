import type { CommandFactory } from '../command.ts';
import { withExamples } from '../command.ts';
import { addCatalogBackup } from './catalog/backup.ts';
import { addCatalogGrant } from './catalog/grant.ts';
import { addCatalogMaintenance } from './catalog/maintenance.ts';
import { addCatalogMigrate } from './catalog/migrate.ts';
import { addCatalogPrincipal } from './catalog/principal.ts';
import { addCatalogRestore } from './catalog/restore.ts';
import { addCatalogRole } from './catalog/role.ts';
import { addCatalogServe } from './catalog/serve.ts';

/** `lake catalog …`: the project's catalog, as a service and in operation. */
export const addCatalog: CommandFactory = (parent, run) => {
  const catalog = parent.command('catalog').description("the project's Iceberg REST catalog");
  for (const add of [
    addCatalogServe,
    addCatalogBackup,
    addCatalogRestore,
    addCatalogMigrate,
    addCatalogMaintenance,
    addCatalogPrincipal,
    addCatalogRole,
    addCatalogGrant,
  ]) {
    add(catalog, run);
  }
  withExamples(catalog, [
    ['lake catalog serve --port 8181', 'let PyIceberg, Spark or Trino read and write the tables'],
    ['lake catalog backup catalog.backup', 'all that the catalog keeps, while it is in use'],
  ]);
};
