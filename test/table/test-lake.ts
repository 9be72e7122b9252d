import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Catalog, LoadedTable, TableCommit, TableIdentifier } from '../../src/catalog-client/catalog.ts';
import { type Clock, systemClock } from '../../src/clock.ts';
import { type DuckDbEngine, openDuckDb } from '../../src/engine/duckdb.ts';
import { createTableView } from '../../src/engine/iceberg-view.ts';
import { LakeError } from '../../src/errors.ts';
import type { PartitionSpec } from '../../src/iceberg/partition-spec.ts';
import { checkRequirements } from '../../src/iceberg/requirements.ts';
import type { Schema } from '../../src/iceberg/schema.ts';
import { newTableMetadata, type TableMetadata } from '../../src/iceberg/table-metadata.ts';
import { applyUpdates } from '../../src/iceberg/updates.ts';
import { openStore } from '../../src/storage/store.ts';
import type { LakeContext } from '../../src/table/context.ts';
import { planScan, type ScanOptions } from '../../src/table/scan.ts';
import { openTable } from '../../src/table/table.ts';

/** What is to happen to the next commits: `before` runs first, `after` once it is applied; `lost` loses the answer of a commit that was applied, `dropped` the request itself. */
export interface CommitFault {
  readonly before?: () => Promise<void>;
  readonly after?: () => Promise<void>;
  readonly outcome?: 'lost' | 'dropped';
}

const refuse = (): never => {
  throw new LakeError('internal', 'The test catalog does not do this');
};

/** A catalog of one table by the pure update rules, whose commits can be disturbed. */
export class DisturbedCatalog implements Catalog {
  metadata: TableMetadata;
  readonly faults: CommitFault[] = [];
  commits = 0;

  constructor(metadata: TableMetadata) {
    this.metadata = metadata;
  }

  async loadTable(identifier: TableIdentifier): Promise<LoadedTable> {
    return { identifier, metadata: this.metadata, metadataLocation: 'memory://metadata', config: {} };
  }

  async commitTable(commit: TableCommit): Promise<LoadedTable> {
    const fault = this.faults.shift();
    await fault?.before?.();
    if (fault?.outcome === 'dropped') throw new LakeError('unknown-outcome', 'time-out');
    checkRequirements(this.metadata, commit.requirements);
    this.metadata = applyUpdates(this.metadata, commit.updates, {
      nowMs: Math.max(systemClock.now(), this.metadata['last-updated-ms']),
    });
    this.commits++;
    await fault?.after?.();
    if (fault?.outcome === 'lost') throw new LakeError('unknown-outcome', 'connection reset');
    return this.loadTable(commit.identifier);
  }

  listNamespaces = refuse;
  createNamespace = refuse;
  loadNamespace = refuse;
  namespaceExists = refuse;
  updateNamespace = refuse;
  dropNamespace = refuse;
  listTables = refuse;
  createTable = refuse;
  tableExists = refuse;
  dropTable = refuse;
  commitTransaction = refuse;
  extension = refuse;
  async close(): Promise<void> {}
}

const clock: Clock = { ...systemClock, sleep: async () => undefined };

export const TABLE: TableIdentifier = { namespace: ['t'], name: 'rows' };

/** A lake of one table on a temporary folder. */
export interface TestLake {
  readonly context: LakeContext;
  readonly catalog: DisturbedCatalog;
  readonly engine: DuckDbEngine;
  rows(options?: ScanOptions, columns?: string): Promise<readonly object[]>;
  close(): Promise<void>;
}

export async function openTestLake(schema: Schema, spec?: PartitionSpec): Promise<TestLake> {
  const folder = await mkdtemp(join(tmpdir(), 'lake-table-'));
  const engine = await openDuckDb({ tempDirectory: join(folder, 'spill'), threads: 1 });
  const catalog = new DisturbedCatalog(
    newTableMetadata({
      schema,
      ...(spec ? { spec } : {}),
      location: `file://${folder}/t%20 b`,
      uuid: clock.uuid(),
      nowMs: clock.now(),
    }),
  );
  const context = { catalog, objects: openStore(), clock };
  return {
    context,
    catalog,
    engine,
    async rows(options = {}, columns = '*') {
      await createTableView(engine, '"t"."rows"', await planScan(await openTable(context, TABLE), options));
      return engine.all(`SELECT ${columns} FROM "t"."rows" ORDER BY ALL`);
    },
    async close() {
      await engine.close();
      await rm(folder, { recursive: true });
    },
  };
}
