import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TableIdentifier } from '../../src/catalog-client/catalog.ts';
import { openEmbeddedCatalog } from '../../src/catalog-client/embedded.ts';
import { systemClock } from '../../src/clock.ts';
import { openDuckDb } from '../../src/engine/duckdb.ts';
import { createTableView } from '../../src/engine/iceberg-view.ts';
import { viewName } from '../../src/engine/sql-text.ts';
import type { PartitionSpec } from '../../src/iceberg/partition-spec.ts';
import { assignFreshIds, type Schema } from '../../src/iceberg/schema.ts';
import type { NestedField, Type } from '../../src/iceberg/types.ts';
import { openStore } from '../../src/storage/store.ts';
import type { LakeContext } from '../../src/table/context.ts';
import { planScan } from '../../src/table/scan.ts';
import { openTable } from '../../src/table/table.ts';

export const TABLE: TableIdentifier = { namespace: ['bronze'], name: 'orders' };

/** A lake in a folder of its own, with the real catalog. */
export interface IngestLake extends LakeContext {
  /** A second process's view of the same lake. */
  another(): Promise<LakeContext>;
  createTable(fields: readonly NestedField[], spec?: (schema: Schema) => PartitionSpec): Promise<void>;
  file(name: string, content: string | Uint8Array): Promise<string>;
  rows(identifier: TableIdentifier, columns?: string): Promise<readonly object[]>;
  snapshots(identifier?: TableIdentifier): Promise<number>;
  dispose(): Promise<void>;
}

export const column = (name: string, type: Type, required = false): NestedField => ({
  id: 0,
  name,
  required,
  type,
});

export async function openIngestLake(): Promise<IngestLake> {
  const folder = await mkdtemp(join(tmpdir(), 'lake-ingest-'));
  const open = () =>
    openEmbeddedCatalog({
      database: join(folder, 'catalog.db'),
      warehouse: `file://${folder}/hot`,
      clock: systemClock,
    });
  const catalogs = [await open()];
  const context = { catalog: catalogs[0]!, objects: openStore(), clock: systemClock };
  return {
    ...context,
    async another() {
      const catalog = await open();
      catalogs.push(catalog);
      return { ...context, catalog };
    },
    async createTable(fields, spec) {
      const { schema } = assignFreshIds({ type: 'struct', 'schema-id': 0, fields });
      await context.catalog.createNamespace(TABLE.namespace);
      await context.catalog.createTable(TABLE.namespace, {
        name: TABLE.name,
        schema,
        ...(spec ? { 'partition-spec': spec(schema) } : {}),
      });
    },
    async file(name, content) {
      await writeFile(join(folder, name), content);
      return join(folder, name);
    },
    async rows(identifier, columns = '*') {
      const engine = await openDuckDb({ tempDirectory: join(folder, 'spill'), threads: 1 });
      try {
        await createTableView(
          engine,
          viewName(identifier),
          await planScan(await openTable(context, identifier), {}),
        );
        return await engine.all(`SELECT ${columns} FROM ${viewName(identifier)} ORDER BY ALL`);
      } finally {
        await engine.close();
      }
    },
    async snapshots(identifier = TABLE) {
      return (await openTable(context, identifier)).metadata.snapshots.length;
    },
    async dispose() {
      for (const catalog of catalogs) await catalog.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
