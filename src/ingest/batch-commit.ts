import type { Catalog, TableCommit, TableIdentifier } from '../catalog-client/catalog.ts';
import { LakeError } from '../errors.ts';
import type { TableRequirement } from '../iceberg/requirements.ts';
import { evolveSchema, type SchemaChange } from '../iceberg/schema-evolution.ts';
import { currentSchema, type TableMetadata } from '../iceberg/table-metadata.ts';
import { applyUpdates, type TableUpdate } from '../iceberg/updates.ts';
import { commitWithRetry } from '../table/commit.ts';
import type { LakeContext } from '../table/context.ts';
import { type AddedFile, type ChangeIds, newChange } from '../table/snapshot-files.ts';
import { type StagedSnapshot, stageSnapshot } from '../table/stage-snapshot.ts';
import { openTable, Table } from '../table/table.ts';
import { batchProperty, forgottenBatches, knownBatch } from './batch-ids.ts';
import { sameColumns } from './same-columns.ts';

/** Files that are written and wait for their commit. */
export interface Batch {
  readonly identifier: TableIdentifier;
  /** The table as it was when the files were written, before `changes`. */
  readonly base: TableMetadata;
  readonly changes: readonly SchemaChange[];
  readonly files: readonly AddedFile[];
  readonly rows: number;
  readonly quarantined: number;
  readonly branch: string;
  readonly batchId: string | null;
  /** Said in the snapshot's summary. */
  readonly properties: Readonly<Record<string, string>>;
  readonly quarantine: { readonly identifier: TableIdentifier; readonly files: readonly AddedFile[] } | null;
}

export interface CommittedBatch {
  /** False if another process committed the same batch first. */
  readonly committed: boolean;
  /** Null where nothing was to be added. */
  readonly snapshotId: bigint | null;
}

/**
 * Commits a batch: its rows, the columns that it brings, the rows that did not fit and the memory of its id, all or nothing. A batch whose id the table knows is not committed again, whoever else commits it at the same time.
 *
 * @throws LakeError `conflict` if the table's columns were changed since the files were written, or retries are used up; `unknown-outcome`
 */
export async function commitBatch(context: LakeContext, batch: Batch): Promise<CommittedBatch> {
  const quarantine = new QuarantineCommits(context, batch);
  if (batch.files.length === 0 && batch.batchId === null && batch.changes.length === 0) {
    await quarantine.commitAlone();
    return { committed: true, snapshotId: null };
  }
  const change = newChange(context.clock);
  const catalog = quarantine.joined(context.catalog);
  const result = await commitWithRetry({ ...context, catalog }, batch.identifier, async (table) => {
    if (batch.batchId !== null && knownBatch(table.metadata, batch.batchId) !== null) return null;
    const staged = await stageBatch(context, batch, table, change);
    await quarantine.stage(staged);
    return staged;
  });
  return { committed: result.staged !== null, snapshotId: result.snapshotId };
}

async function stageBatch(
  context: LakeContext,
  batch: Batch,
  table: Table,
  change: ChangeIds,
): Promise<StagedSnapshot> {
  const { metadata } = table;
  const evolution = schemaUpdates(batch, metadata);
  const evolved = applyUpdates(metadata, evolution.updates, {
    nowMs: Math.max(context.clock.now(), metadata['last-updated-ms']),
  });
  const staged = await stageSnapshot(
    new Table(context, { identifier: table.identifier, metadata: evolved, config: {} }),
    change,
    { operation: 'append', added: batch.files, branch: batch.branch, properties: batch.properties },
  );
  const { batchId } = batch;
  return {
    ...staged,
    requirements: [
      ...staged.requirements,
      ...evolution.requirements,
      ...(batchId === null ? [] : allRefsUnchanged(metadata)),
    ],
    updates: [
      ...evolution.updates,
      ...staged.updates,
      ...memoryUpdates(batch, metadata, staged.snapshotId, context.clock.now()),
    ],
  };
}

/** Remembers the batch, and forgets those that are too old. Both need `allRefsUnchanged`: a batch that another commit brings again meanwhile must not be forgotten with its old record. */
function memoryUpdates(
  { batchId, rows, quarantined }: Batch,
  metadata: TableMetadata,
  snapshotId: bigint,
  nowMs: number,
): TableUpdate[] {
  if (batchId === null) return [];
  const removals = forgottenBatches(metadata, nowMs);
  const record = batchProperty(batchId, { snapshotId, rows, quarantined, committedMs: nowMs });
  return [
    ...(removals.length === 0 ? [] : [{ action: 'remove-properties', removals } as const]),
    { action: 'set-properties', updates: record },
  ];
}

/** The same batch may come at once on two branches: the second commit must see the first. */
function allRefsUnchanged(metadata: TableMetadata): TableRequirement[] {
  return Object.entries(metadata.refs)
    .filter(([, ref]) => ref.type === 'branch')
    .map(([ref, { 'snapshot-id': id }]) => ({ type: 'assert-ref-snapshot-id', ref, 'snapshot-id': id }));
}

/** The updates that bring the batch's columns; the files hold their ids, so that the table must still be as it was. */
function schemaUpdates(
  batch: Batch,
  metadata: TableMetadata,
): { readonly requirements: TableRequirement[]; readonly updates: TableUpdate[] } {
  const { base, changes } = batch;
  const isSame =
    base['table-uuid'] === metadata['table-uuid'] &&
    sameColumns(currentSchema(base), currentSchema(metadata));
  if (!isSame || (changes.length > 0 && base['last-column-id'] !== metadata['last-column-id'])) {
    throw new LakeError('conflict', 'The columns of the table were changed while the files were read', {
      hint: 'Nothing of this batch was committed. Run it again.',
    });
  }
  const requirements: TableRequirement[] = [
    { type: 'assert-current-schema-id', 'current-schema-id': metadata['current-schema-id'] },
  ];
  if (changes.length === 0) return { requirements, updates: [] };
  const evolved = evolveSchema(currentSchema(metadata), metadata['last-column-id'], changes);
  return {
    requirements: [
      ...requirements,
      { type: 'assert-last-assigned-field-id', 'last-assigned-field-id': metadata['last-column-id'] },
    ],
    updates: [
      { action: 'add-schema', schema: evolved.schema, 'last-column-id': evolved.lastColumnId },
      { action: 'set-current-schema', 'schema-id': -1 },
    ],
  };
}

/** The rows that did not fit: committed to their table in the transaction that commits the others. */
class QuarantineCommits {
  readonly #context: LakeContext;
  readonly #batch: Batch;
  readonly #change: ChangeIds;
  readonly #companions = new Map<readonly TableUpdate[], TableCommit>();

  constructor(context: LakeContext, batch: Batch) {
    this.#context = context;
    this.#batch = batch;
    this.#change = newChange(context.clock);
  }

  async #snapshot(table: Table): Promise<StagedSnapshot> {
    const added = this.#batch.quarantine?.files ?? [];
    return stageSnapshot(table, this.#change, {
      operation: 'append',
      added,
      properties: this.#batch.properties,
    });
  }

  /** Stages what goes with a change of the main table. */
  async stage(main: StagedSnapshot): Promise<void> {
    const { quarantine } = this.#batch;
    if (quarantine === null) return;
    const staged = await this.#snapshot(await openTable(this.#context, quarantine.identifier));
    const { requirements, updates } = staged;
    this.#companions.set(main.updates, { identifier: quarantine.identifier, requirements, updates });
  }

  async commitAlone(): Promise<void> {
    const { quarantine } = this.#batch;
    if (quarantine === null) return;
    await commitWithRetry(this.#context, quarantine.identifier, (table) => this.#snapshot(table));
  }

  /** The catalog, with each commit of the main table joined by what was staged with it. */
  joined(catalog: Catalog): Catalog {
    return {
      ...delegated(catalog),
      commitTable: async (commit) => {
        const companion = this.#companions.get(commit.updates);
        if (companion === undefined) return catalog.commitTable(commit);
        await catalog.commitTransaction([commit, companion]);
        return afterCommit(() => catalog.loadTable(commit.identifier));
      },
    };
  }
}

/** A commit that was applied stays applied, even if the table cannot be loaded afterwards: the caller looks again. */
async function afterCommit<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    throw new LakeError(
      'unknown-outcome',
      'The commit was applied, but the table could not be loaded after it',
      { cause },
    );
  }
}

function delegated(catalog: Catalog): Catalog {
  return {
    listNamespaces: (parent) => catalog.listNamespaces(parent),
    createNamespace: (namespace, properties) => catalog.createNamespace(namespace, properties),
    loadNamespace: (namespace) => catalog.loadNamespace(namespace),
    namespaceExists: (namespace) => catalog.namespaceExists(namespace),
    updateNamespace: (namespace, changes) => catalog.updateNamespace(namespace, changes),
    dropNamespace: (namespace) => catalog.dropNamespace(namespace),
    listTables: (namespace) => catalog.listTables(namespace),
    createTable: (namespace, request) => catalog.createTable(namespace, request),
    loadTable: (identifier) => catalog.loadTable(identifier),
    tableExists: (identifier) => catalog.tableExists(identifier),
    dropTable: (identifier, options) => catalog.dropTable(identifier, options),
    commitTable: (commit) => catalog.commitTable(commit),
    commitTransaction: (commits) => catalog.commitTransaction(commits),
    extension: (method, path, body) => catalog.extension(method, path, body),
    close: () => catalog.close(),
  };
}
