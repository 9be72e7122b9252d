import { columnName } from '../../../iceberg/schema.ts';
import {
  currentSchema,
  currentSnapshot,
  defaultSpec,
  type TableMetadata,
} from '../../../iceberg/table-metadata.ts';
import { transformText } from '../../../iceberg/transforms.ts';
import { describeType } from '../../../iceberg/types.ts';
import type { Table } from '../../../table/table.ts';
import type { CommandFactory } from '../../command.ts';
import { withExamples } from '../../command.ts';
import { findTable } from '../../find-table.ts';
import { textTable } from '../../output.ts';
import type { Session } from '../../session.ts';
import { bytesText, countText, timeText } from '../../units.ts';
import { visibleRecords } from '../../visible-records.ts';

/** `lake table show TABLE`: everything about one table on one page. */
export const addTableShow: CommandFactory = (parent, run) => {
  const command = parent
    .command('show')
    .description('one table: place, size, columns, partitioning, branches and tags, properties')
    .argument('<table>', 'NAMESPACE.TABLE')
    .action((name: string) => run((session) => show(session, name)));
  withExamples(command, [['lake table show gold.fct_flight', 'a page about the table']]);
};

async function show(session: Session, name: string): Promise<void> {
  const table = await findTable(await session.lake(), name);
  const description = describe(table);
  session.output.result(description, pageOf(description));
}

type Description = ReturnType<typeof describe>;

function describe(table: Table) {
  const { metadata } = table;
  const schema = currentSchema(metadata);
  const summary = currentSnapshot(metadata)?.summary;
  return {
    table: table.name,
    uuid: metadata['table-uuid'],
    format_version: metadata['format-version'],
    location: metadata.location,
    metadata_location: table.metadataLocation ?? null,
    updated: new Date(metadata['last-updated-ms']).toISOString(),
    records: visibleRecords(summary),
    files: Number(summary?.['total-data-files'] ?? 0),
    bytes: Number(summary?.['total-files-size'] ?? 0),
    snapshots: metadata.snapshots.length,
    current_snapshot: metadata['current-snapshot-id']?.toString() ?? null,
    columns: schema.fields.map((field) => ({
      id: field.id,
      name: field.name,
      type: describeType(field.type),
      required: field.required,
    })),
    partitioning: partitioningOf(metadata),
    refs: Object.entries(metadata.refs).map(([ref, to]) => ({
      name: ref,
      type: to.type,
      snapshot: to['snapshot-id'].toString(),
    })),
    properties: metadata.properties,
  };
}

function partitioningOf(metadata: TableMetadata): string[] {
  const schema = currentSchema(metadata);
  return defaultSpec(metadata).fields.map((field) => {
    const source = columnName(schema, field['source-id']);
    const text = typeof field.transform === 'string' ? field.transform : transformText(field.transform);
    return text === 'identity' ? source : `${text}(${source})`;
  });
}

function pageOf(table: Description): string {
  const lines = [
    `${table.table}  (Iceberg v${table.format_version}, ${table.uuid})`,
    `  holds         ${countText(table.records)} rows in ${countText(table.files)} files, ${bytesText(table.bytes)}`,
    `  lies at       ${table.location}`,
    `  partitioned   ${table.partitioning.length === 0 ? 'no' : `by ${table.partitioning.join(', ')}`}`,
    `  snapshots     ${table.snapshots}, the current one is ${table.current_snapshot ?? 'none'}`,
    `  changed       ${timeText(Date.parse(table.updated))}`,
    '',
    'Columns',
    textTable(table.columns, [
      { key: 'id', align: 'right' },
      { key: 'name' },
      { key: 'type' },
      { key: 'required' },
    ]),
  ];
  if (table.refs.length > 0) {
    lines.push(
      '',
      'Branches and tags',
      textTable(table.refs, [{ key: 'name' }, { key: 'type' }, { key: 'snapshot' }]),
    );
  }
  const properties = Object.entries(table.properties);
  if (properties.length > 0)
    lines.push('', 'Properties', ...properties.map(([key, value]) => `${key} = ${value}`));
  return lines.join('\n');
}
