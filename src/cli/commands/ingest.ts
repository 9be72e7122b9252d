import { InvalidArgumentError, Option } from 'commander';
import { isKind, LakeError } from '../../errors.ts';
import type { Schema } from '../../iceberg/schema.ts';
import type { SchemaChange } from '../../iceberg/schema-evolution.ts';
import { describeType } from '../../iceberg/types.ts';
import type { EvolutionRequest } from '../../ingest/evolution.ts';
import { INGEST_FORMATS, type IngestFormat } from '../../ingest/format.ts';
import type { IngestResult } from '../../ingest/ingest.ts';
import { partitionRequests } from '../../pipeline/partition-by.ts';
import type { Lake } from '../../project/open-lake.ts';
import { parseTableName, tableName } from '../../table/table.ts';
import type { CommandFactory } from '../command.ts';
import { withExamples } from '../command.ts';
import { findTable } from '../find-table.ts';
import type { Session } from '../session.ts';
import { bytesText, countText } from '../units.ts';

interface IngestOptions {
  readonly format?: IngestFormat;
  readonly batchId?: string;
  readonly onError: 'fail' | 'quarantine';
  readonly branch?: string;
  readonly evolve?: boolean;
  readonly create?: boolean;
  readonly partitionBy: readonly string[];
  readonly delimiter: string;
  readonly null: string;
}

function delimiterOf(text: string): string {
  if (text === 'tab' || text === '\\t') return '\t';
  if (text.length === 1 && text.charCodeAt(0) < 128 && !/["\r\n]/.test(text)) return text;
  throw new InvalidArgumentError('It is one ASCII character, or tab.');
}

/** `lake ingest TABLE FILE…`: rows of files, or of standard input, into a table in one commit. */
export const addIngest: CommandFactory = (parent, run) => {
  const command = parent
    .command('ingest')
    .description('add the rows of CSV, JSON lines, Avro or Parquet files to a table, in one commit')
    .argument('<table>', 'NAMESPACE.TABLE')
    .argument('<files...>', 'files; - is standard input. Names ending in .gz are unpacked')
    .addOption(
      new Option('-f, --format <format>', 'of all files (default: what their names say)').choices(
        INGEST_FORMATS,
      ),
    )
    .option(
      '--batch-id <id>',
      'a name for these rows: however often it is given, they are committed once (the table remembers it for 30 days, or as its property lake.batch.retention-ms says)',
    )
    .addOption(
      new Option(
        '--on-error <what>',
        'fail: one bad row and nothing is committed; quarantine: set bad rows aside',
      )
        .choices(['fail', 'quarantine'])
        .default('fail'),
    )
    .option(
      '--evolve',
      'add the new columns that the files bring, and widen int, float and decimal where they need it',
    )
    .option(
      '--create',
      'make the table if it is not there: with the types of the Avro or Parquet files, or those that hold all values of the CSV or JSON lines',
    )
    .option(
      '--partition-by <field>',
      'with --create: a column, day(column), bucket(16, column) …; give it again for more',
      (field: string, before: readonly string[]) => [...before, field],
      [],
    )
    .option('--branch <branch>', 'the branch to write to (default: main)')
    .addOption(
      new Option('--delimiter <char>', 'between the fields of CSV').argParser(delimiterOf).default(','),
    )
    .option('--null <text>', 'what stands for null in CSV, unquoted', '')
    .action((table: string, files: string[], options: IngestOptions) =>
      run((session) => ingestFiles(session, table, files, options)),
    );
  withExamples(command, [
    ['lake ingest bronze.orders orders-11-20.csv --batch-id orders-11-20', 'once, even if it is run again'],
    [
      'zcat orders.jsonl.gz | lake ingest bronze.orders - --format jsonl --on-error quarantine',
      'bad rows go to lake_quarantine.bronze__orders in the same commit',
    ],
    [
      "lake ingest bronze.orders orders.csv --create --partition-by 'day(ordered_at)'",
      'prints the columns that it made',
    ],
  ]);
};

async function ingestFiles(
  session: Session,
  name: string,
  files: readonly string[],
  options: IngestOptions,
): Promise<void> {
  const { ingest } = await import('../../ingest/ingest.ts');
  const { evolutionOf } = await import('../../ingest/evolution.ts');
  const { resolve } = await import('node:path');
  const lake = await session.lake();
  const { onError, format, batchId, branch, delimiter } = options;
  const paths = files.map((file) => (file === '-' ? file : resolve(session.directory, file)));
  const csv = { delimiter, nullText: options.null };
  const source = { files: paths, csv, ...(format === undefined ? {} : { format }) };
  const created = await createdTable(session, lake, name, source, options);
  const { identifier } = await findTable(lake, name);
  const evolve = async (schema: Schema) => {
    const changes = await evolutionOf(source, schema);
    for (const change of changes) session.output.note(`${changeText(change)}, in the same commit`);
    return changes;
  };
  const result = await ingest(lake, identifier, {
    files: paths,
    stdin: process.stdin,
    csv,
    ...(options.evolve === true ? { evolve } : {}),
    onError,
    onProgress: ({ rows, bytes }) => session.progress.update(`rows read, ${bytesText(bytes)}`, rows, rows),
    ...(format === undefined ? {} : { format }),
    ...(batchId === undefined ? {} : { batchId }),
    ...(branch === undefined ? {} : { branch }),
  }).catch(async (error: unknown) => {
    // What cannot be told apart from a commit stays, and so does its table.
    const isUndone = created !== null && !isKind(error, 'unknown-outcome');
    const { dropIfEmpty } = await import('../../ingest/create-table.ts');
    if (isUndone) await dropIfEmpty(lake, identifier, created.uuid).catch(() => undefined);
    throw error;
  });
  session.progress.stop();
  session.output.result(
    {
      table: name,
      status: result.ingested ? 'ingested' : 'already-ingested',
      files: result.files,
      rows: result.rows,
      quarantined: result.quarantined,
      quarantine_table: result.quarantineTable && tableName(result.quarantineTable),
      bytes: result.bytes,
      snapshot_id: result.snapshotId?.toString() ?? null,
      batch_id: batchId ?? null,
      evolved: result.changes.map(changeText),
      created:
        created?.schema.fields.map(({ name: column, type }) => ({
          name: column,
          type: describeType(type),
        })) ?? null,
    },
    resultText(name, batchId, result),
  );
}

/** Makes the table where `--create` asks for it and it is not there, and says with which columns; null where none was made. */
async function createdTable(
  session: Session,
  lake: Lake,
  name: string,
  source: EvolutionRequest,
  { create, partitionBy: fields }: IngestOptions,
): Promise<{ readonly schema: Schema; readonly uuid: string } | null> {
  if (create !== true) {
    if (fields.length === 0) return null;
    throw new LakeError('usage', '--partition-by is for --create', {
      hint: 'A table that is there is partitioned anew by `lake table alter`. Nothing was done.',
    });
  }
  const partitionBy = partitionRequests(fields, '--partition-by');
  const { createTableOf } = await import('../../ingest/create-table.ts');
  const created = await createTableOf(lake, parseTableName(name), { ...source, partitionBy });
  if (created === null) {
    session.output.note(`${name} is there already: nothing about it was changed.\n`);
    return null;
  }
  const columns = created.schema.fields.map((field) => `  ${field.name} ${describeType(field.type)}`);
  const by = fields.length === 0 ? '' : `, partitioned by ${fields.join(', ')}`;
  session.output.note(`Made ${name}${by}:\n${columns.join('\n')}\n`);
  return created;
}

function changeText(change: SchemaChange): string {
  if (change.action === 'add-column') return `new column ${change.name} ${describeType(change.type)}`;
  if (change.action === 'widen-column') return `column ${change.column} becomes ${describeType(change.type)}`;
  return change.action;
}

function resultText(name: string, batchId: string | undefined, result: IngestResult): string {
  if (!result.ingested) {
    return `Batch ${batchId} was ingested before (${countText(result.rows)} rows of ${name}, snapshot ${result.snapshotId}): nothing was done.`;
  }
  const lines = [
    `Ingested ${countText(result.rows)} rows into ${name}${result.snapshotId === null ? '' : ` (snapshot ${result.snapshotId})`}.`,
  ];
  if (result.quarantineTable !== null)
    lines.push(
      `Set aside ${countText(result.quarantined)} rows that do not fit: ${tableName(result.quarantineTable)} says why.`,
    );
  return lines.join('\n');
}
