import { currentSchema } from '../../../iceberg/table-metadata.ts';
import { describeType } from '../../../iceberg/types.ts';
import type { CommandFactory } from '../../command.ts';
import { withExamples } from '../../command.ts';
import { findTable } from '../../find-table.ts';
import type { Session } from '../../session.ts';

/** `lake table schema TABLE`: the columns. */
export const addTableSchema: CommandFactory = (parent, run) => {
  const command = parent
    .command('schema')
    .description('the columns of a table, with their field ids')
    .argument('<table>', 'NAMESPACE.TABLE')
    .action((name: string) => run((session) => showSchema(session, name)));
  withExamples(command, [
    ['lake table schema gold.fct_flight', 'names, types, and which columns may be null'],
  ]);
};

async function showSchema(session: Session, name: string): Promise<void> {
  const { metadata } = await findTable(await session.lake(), name);
  const schema = currentSchema(metadata);
  const rows = schema.fields.map((field) => ({
    id: field.id,
    column: field.name,
    type: describeType(field.type),
    required: field.required,
    doc: field.doc ?? null,
  }));
  if (session.output.format === 'text') {
    const columns = [
      'id',
      'column',
      'type',
      'required',
      ...(rows.some((row) => row.doc !== null) ? ['doc'] : []),
    ];
    await session.output.rows(rows, {
      columns: columns.map((key) => ({ key, align: key === 'id' ? 'right' : 'left' })),
    });
  } else {
    await session.output.rows(rows);
  }
}
