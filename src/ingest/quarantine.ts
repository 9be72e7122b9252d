import type { TableIdentifier } from '../catalog-client/catalog.ts';
import { isKind } from '../errors.ts';
import { UNPARTITIONED } from '../iceberg/partition-spec.ts';
import type { Schema } from '../iceberg/schema.ts';
import type { NestedField } from '../iceberg/types.ts';
import type { Cells } from '../parquet/cell.ts';
import type { LakeContext } from '../table/context.ts';
import { openTable, type Table } from '../table/table.ts';
import type { BadRow } from './decoded-row.ts';

export const QUARANTINE_NAMESPACE = 'lake_quarantine';

const field = (id: number, name: string, type: string, doc: string): NestedField => ({
  id,
  name,
  required: false,
  type,
  doc,
});

const SCHEMA: Schema = {
  type: 'struct',
  'schema-id': 0,
  fields: [
    field(1, 'batch_id', 'string', 'as given by --batch-id, else made for the call'),
    field(2, 'file', 'string', 'the file, or - for standard input'),
    field(3, 'line', 'long', 'line of the file, for Avro and Parquet the number of the record; from 1'),
    field(4, 'column', 'string', 'the first column that does not fit; null for the whole row'),
    field(5, 'reason', 'string', 'what is wrong with each column, and what is expected'),
    field(6, 'raw', 'string', 'the row as it stands in the file'),
    field(7, 'ingested_at', 'timestamptz', 'when the call began'),
  ],
};

/** Where the rows go that do not fit a table: `lake_quarantine.<namespace>__<table>`. */
export function quarantineTable(identifier: TableIdentifier): TableIdentifier {
  return {
    namespace: [QUARANTINE_NAMESPACE],
    name: [...identifier.namespace, identifier.name].join('__'),
  };
}

/** The quarantine table of a table, made if it is not there. */
export async function openQuarantine(context: LakeContext, identifier: TableIdentifier): Promise<Table> {
  const target = quarantineTable(identifier);
  try {
    return await openTable(context, target);
  } catch (error) {
    if (!isKind(error, 'not-found')) throw error;
  }
  await ignoring('already-exists', () => context.catalog.createNamespace(target.namespace));
  await ignoring('already-exists', () =>
    context.catalog.createTable(target.namespace, {
      name: target.name,
      schema: SCHEMA,
      'partition-spec': UNPARTITIONED,
      properties: {
        comment: `rows that did not fit ${[...identifier.namespace, identifier.name].join('.')}`,
      },
    }),
  );
  return openTable(context, target);
}

async function ignoring(kind: 'already-exists', work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isKind(error, kind)) throw error;
  }
}

/** A bad row as a row of the quarantine table. */
export function quarantineCells(batchId: string, file: string, row: BadRow, atMs: number): Cells {
  const reasons = row.problems.map(({ column, reason }) =>
    column === null ? reason : `${column}: ${reason}`,
  );
  return [
    batchId,
    file,
    BigInt(row.line),
    row.problems[0]?.column ?? null,
    reasons.join('\n').toWellFormed(),
    row.raw.toWellFormed(),
    BigInt(atMs) * 1000n,
  ];
}
