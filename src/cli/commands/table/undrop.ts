import { type DroppedTable, listDropped, undrop } from '../../../catalog-client/dropped-table.ts';
import { LakeError } from '../../../errors.ts';
import { nearestName } from '../../../iceberg/nearest-name.ts';
import { parseTableName, tableName } from '../../../table/table.ts';
import type { CommandFactory } from '../../command.ts';
import { withExamples } from '../../command.ts';
import type { Session } from '../../session.ts';

/** `lake table undrop [TABLE]`: brings a dropped table back, or lists those that can be. */
export const addTableUndrop: CommandFactory = (parent, run) => {
  const command = parent
    .command('undrop')
    .description('bring a dropped table back; without a table, list the dropped ones')
    .argument('[table]', 'NAMESPACE.TABLE as it was when it was dropped; the one dropped last')
    .option('--as <table>', 'under this name')
    .action((name: string | undefined, options: { as?: string }) =>
      run((session) => (name === undefined ? listAll(session) : bringBack(session, name, options.as))),
    );
  withExamples(command, [
    ['lake table undrop', 'what was dropped, when, and what has become of it'],
    ['lake table undrop silver.flights --as silver.flights_old', 'the name may be taken by now'],
  ]);
};

const nameOf = ({ namespace, table }: DroppedTable): string => tableName({ namespace, name: table });

const lastFirst = (dropped: readonly DroppedTable[]): DroppedTable[] =>
  [...dropped].sort((a, b) => b['dropped-at-ms'] - a['dropped-at-ms']);

async function listAll(session: Session): Promise<void> {
  const { catalog } = await session.lake();
  const rows = lastFirst(await listDropped(catalog)).map((one) => ({
    table: nameOf(one),
    dropped_at: new Date(one['dropped-at-ms']).toISOString(),
    state: one.state,
    note: one.note ?? null,
  }));
  await session.output.rows(rows, {
    empty: 'No table was dropped.',
    columns: [{ key: 'table' }, { key: 'dropped_at', heading: 'dropped' }, { key: 'state' }, { key: 'note' }],
  });
}

async function bringBack(session: Session, name: string, as: string | undefined): Promise<void> {
  const { catalog } = await session.lake();
  const to = as === undefined ? undefined : parseTableName(as);
  const dropped = lastFirst((await listDropped(catalog)).filter((one) => one.state === 'dropped'));
  const found = dropped.find((one) => nameOf(one) === name);
  if (found === undefined) throw noneOfThatName(name, dropped);
  const table = tableName(await undrop(catalog, found.id, to));
  session.output.result(
    { table, dropped_as: name, table_uuid: found['table-uuid'] },
    `${table} is back, with all of its snapshots, branches and tags.`,
  );
}

function noneOfThatName(name: string, dropped: readonly DroppedTable[]): LakeError {
  const nearest = nearestName(name, dropped.map(nameOf));
  return new LakeError('not-found', `No dropped table ${name} can be brought back.`, {
    hint:
      nearest === null
        ? '`lake table undrop` lists the dropped tables and what has become of them.'
        : `Did you mean ${nearest}? \`lake table undrop\` lists the dropped tables.`,
  });
}
