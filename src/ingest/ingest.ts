import type { TableIdentifier } from '../catalog-client/catalog.ts';
import { LakeError } from '../errors.ts';
import { MAIN_BRANCH } from '../iceberg/refs.ts';
import type { Schema } from '../iceberg/schema.ts';
import { evolveSchema, type SchemaChange } from '../iceberg/schema-evolution.ts';
import { currentSchema, defaultSpec, type TableMetadata } from '../iceberg/table-metadata.ts';
import { StreamWriter } from '../parquet/stream-writer.ts';
import type { LakeContext } from '../table/context.ts';
import { branchSnapshot } from '../table/stage-snapshot.ts';
import { openTable, type Table } from '../table/table.ts';
import { commitBatch } from './batch-commit.ts';
import { batchRetentionMs, checkBatchId, knownBatch } from './batch-ids.ts';
import type { CsvOptions } from './csv-records.ts';
import { fileRows } from './file-rows.ts';
import { formatOf, type IngestFormat } from './format.ts';
import { openQuarantine, quarantineTable } from './quarantine.ts';
import { RowIntake } from './row-intake.ts';

export interface IngestRequest {
  /** Paths; `-` is standard input. */
  readonly files: readonly string[];
  readonly stdin?: AsyncIterable<Uint8Array>;
  /** Of all files; by default each file's name tells. */
  readonly format?: IngestFormat;
  readonly csv?: CsvOptions;
  readonly batchId?: string;
  /** `fail` (the default): one bad row and nothing is committed. `quarantine`: bad rows go to their own table. */
  readonly onError?: 'fail' | 'quarantine';
  readonly branch?: string;
  /** New and wider columns that the files bring. Default none. */
  readonly evolve?: (schema: Schema) => Promise<readonly SchemaChange[]>;
  /** See `StreamWriterOptions`. */
  readonly memoryBytes?: number;
  readonly onProgress?: (done: { readonly rows: number; readonly bytes: number }) => void;
}

export interface IngestResult {
  /** False if the table knew the batch already; the counts are those of the first time then. */
  readonly ingested: boolean;
  readonly files: number;
  readonly rows: number;
  readonly quarantined: number;
  readonly quarantineTable: TableIdentifier | null;
  /** Bytes read. */
  readonly bytes: number;
  readonly snapshotId: bigint | null;
  readonly changes: readonly SchemaChange[];
}

/**
 * Adds the rows of files to a table in one commit. Files are read as they are written, never whole. With a batch id it is idempotent: however often and from how many processes at once a batch
 * comes, it is committed once.
 *
 * @throws LakeError `corrupt` with the first problems if rows do not fit (nothing was committed), `usage`, `not-found`, `invalid-argument` for a file whose columns do not fit,
 *   `conflict`, `unknown-outcome`, `unavailable`
 */
export async function ingest(
  context: LakeContext,
  identifier: TableIdentifier,
  request: IngestRequest,
): Promise<IngestResult> {
  checkRequest(request);
  const table = await openTable(context, identifier);
  const branch = request.branch ?? MAIN_BRANCH;
  branchSnapshot(table.metadata, branch);
  if (request.batchId !== undefined) {
    checkBranch(table, branch);
    const known = knownResult(table.metadata, request.batchId, identifier);
    if (known) return known;
    batchRetentionMs(table.metadata);
  }
  return new Ingestion(context, table, branch, request).run();
}

function checkRequest(request: IngestRequest): void {
  if (request.batchId !== undefined) checkBatchId(request.batchId);
  if (request.files.length === 0)
    throw new LakeError('usage', 'No file was named', { hint: 'Name files, or - for standard input.' });
  for (const [i, name] of request.files.entries()) {
    if (request.files.indexOf(name) !== i)
      throw new LakeError('usage', `${name} is named twice`, {
        hint: 'Its rows would be doubled. Name it once.',
      });
    if (request.format === undefined && name === '-')
      throw new LakeError('usage', 'Standard input needs --format', {
        hint: 'Add --format csv, jsonl, avro or parquet.',
      });
    if (request.format === undefined) formatOf(name);
  }
}

/** Two commits of one batch exclude each other by the branches that they both know. */
function checkBranch(table: Table, branch: string): void {
  if (branch === MAIN_BRANCH || table.metadata.refs[branch] !== undefined) return;
  throw new LakeError('usage', `${table.name} has no branch ${branch}`, {
    hint: `With --batch-id the branch must be there: \`lake table branch ${table.name} ${branch}\`.`,
  });
}

function knownResult(
  metadata: TableMetadata,
  batchId: string,
  identifier: TableIdentifier,
): IngestResult | null {
  const known = knownBatch(metadata, batchId);
  if (known === null) return null;
  return {
    ingested: false,
    files: 0,
    rows: known.rows,
    quarantined: known.quarantined,
    quarantineTable: known.quarantined > 0 ? quarantineTable(identifier) : null,
    bytes: 0,
    snapshotId: known.snapshotId,
    changes: [],
  };
}

class Ingestion {
  readonly #context: LakeContext;
  readonly #table: Table;
  readonly #base: TableMetadata;
  readonly #branch: string;
  readonly #request: IngestRequest;
  /** Names the call in the snapshot and in the quarantine table where no batch id was given. */
  readonly #name: string;
  #bytes = 0;

  constructor(context: LakeContext, table: Table, branch: string, request: IngestRequest) {
    this.#context = context;
    this.#table = table;
    this.#base = table.metadata;
    this.#branch = branch;
    this.#request = request;
    this.#name = request.batchId ?? context.clock.uuid();
  }

  async run(): Promise<IngestResult> {
    const before = currentSchema(this.#base);
    const changes = (await this.#request.evolve?.(before)) ?? [];
    const { schema } = evolveSchema(before, this.#base['last-column-id'], changes);
    const intake = new RowIntake({
      name: this.#name,
      table: this.#table.name,
      writer: this.#writer(schema, this.#base),
      startedAtMs: this.#context.clock.now(),
      quarantine: this.#request.onError === 'quarantine' ? () => this.#quarantineWriter() : null,
    });
    try {
      for (const name of this.#request.files) await this.#take(intake, name, schema);
      return await this.#commit(intake, await intake.finish(), changes);
    } catch (error) {
      // Before the first attempt to commit nothing can refer to the files.
      if (!intake.finished) await intake.discard();
      throw error;
    }
  }

  async #take(intake: RowIntake, name: string, schema: Schema): Promise<void> {
    const { format = formatOf(name), csv, stdin, onProgress } = this.#request;
    const chunks = fileRows({
      name,
      format,
      schema,
      csv: csv ?? {},
      onBytes: (bytes) => {
        this.#bytes += bytes;
      },
      ...(stdin ? { stdin } : {}),
    });
    for await (const chunk of chunks) {
      await intake.take(name, chunk);
      onProgress?.({ rows: intake.rows + intake.rejected, bytes: this.#bytes });
    }
  }

  async #commit(
    intake: RowIntake,
    written: Awaited<ReturnType<RowIntake['finish']>>,
    changes: readonly SchemaChange[],
  ): Promise<IngestResult> {
    const { identifier } = this.#table;
    const specId = defaultSpec(this.#base)['spec-id'];
    const target = written.quarantined.length > 0 ? quarantineTable(identifier) : null;
    const { batchId } = this.#request;
    const done = await commitBatch(this.#context, {
      identifier,
      base: this.#base,
      changes,
      files: written.files.map((dataFile) => ({ dataFile, specId })),
      rows: intake.rows,
      quarantined: intake.rejected,
      branch: this.#branch,
      batchId: batchId ?? null,
      properties: { 'lake.batch-id': this.#name },
      quarantine: target && {
        identifier: target,
        files: written.quarantined.map((dataFile) => ({ dataFile, specId: written.quarantineSpecId })),
      },
    });
    if (!done.committed && batchId !== undefined) {
      const { metadata } = await openTable(this.#context, identifier);
      const known = knownResult(metadata, batchId, identifier);
      if (known) return known;
    }
    return {
      ingested: true,
      files: this.#request.files.length,
      rows: intake.rows,
      quarantined: intake.rejected,
      quarantineTable: target,
      bytes: this.#bytes,
      snapshotId: done.snapshotId,
      changes,
    };
  }

  #writer(schema: Schema, metadata: TableMetadata): StreamWriter {
    const { objects, clock } = this.#context;
    const target = metadata.properties['write.target-file-size-bytes'];
    return new StreamWriter({
      schema,
      spec: defaultSpec(metadata),
      location: metadata.location,
      objects,
      clock,
      properties: metadata.properties,
      ...(target === undefined ? {} : { targetFileSizeBytes: Number(target) }),
      ...(this.#request.memoryBytes === undefined ? {} : { memoryBytes: this.#request.memoryBytes }),
    });
  }

  async #quarantineWriter(): Promise<{ writer: StreamWriter; specId: number }> {
    const { metadata } = await openQuarantine(this.#context, this.#table.identifier);
    return {
      writer: this.#writer(currentSchema(metadata), metadata),
      specId: defaultSpec(metadata)['spec-id'],
    };
  }
}
