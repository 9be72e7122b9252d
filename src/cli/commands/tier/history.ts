import { InvalidArgumentError } from 'commander';
import { isKind } from '../../../errors.ts';
import type { Lake } from '../../../project/open-lake.ts';
import { parseTableName } from '../../../table/table.ts';
import { moveHistory, type PastMove } from '../../../tiering/move-history.ts';
import type { CommandFactory } from '../../command.ts';
import { withExamples } from '../../command.ts';
import { noSuchTable } from '../../find-table.ts';
import type { Session } from '../../session.ts';
import { bytesText, countText, timeText } from '../../units.ts';

/** `lake tier history [TABLE]`: the moves of the past, newest first. */
export const addTierHistory: CommandFactory = (parent, run) => {
  const command = parent
    .command('history')
    .description('the moves of the past, newest first: what, why, and when old objects go')
    .argument('[table]', 'only this table')
    .option('--limit <count>', 'so many of the newest', parseLimit, 20)
    .action((table: string | undefined, options: { limit: number }) =>
      run((session) => history(session, table, options.limit)),
    );
  withExamples(command, [
    ['lake tier history gold.fct_flight', 'take an id from it for `lake tier undo`'],
    ['lake tier history --limit 1 --output json', 'the last move of all tables'],
  ]);
};

function parseLimit(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Write a whole number from 1.');
}

async function history(session: Session, table: string | undefined, limit: number): Promise<void> {
  const lake = await session.lake();
  const rows = await moveHistory(lake, { limit, ...(table === undefined ? {} : await uuidOf(lake, table)) });
  if (session.output.format !== 'text') {
    await session.output.rows(rows);
    return;
  }
  await session.output.rows(rows.map(shown), {
    empty: 'Nothing was moved yet.',
    columns: [
      { key: 'relocation' },
      { key: 'when' },
      { key: 'table' },
      { key: 'way', heading: 'from -> to' },
      { key: 'partitions' },
      { key: 'files', align: 'right', format: countText },
      { key: 'bytes', align: 'right', format: bytesText },
      { key: 'state' },
      { key: 'why' },
      { key: 'old', heading: 'old objects' },
    ],
  });
}

async function uuidOf(lake: Lake, name: string): Promise<{ tableUuid: string }> {
  try {
    const { metadata } = await lake.catalog.loadTable(parseTableName(name));
    return { tableUuid: metadata['table-uuid'] };
  } catch (error) {
    if (isKind(error, 'not-found')) throw await noSuchTable(lake.catalog, name);
    throw error;
  }
}

function shown(move: PastMove): object {
  const lines = (of: (way: PastMove['moves'][number]) => string) => move.moves.map(of).join('\n');
  return {
    relocation: move.relocation_id.slice(0, 8),
    when: timeText(Date.parse(move.swapped ?? move.begun)),
    table: move.table,
    way: lines(({ from, to }) => `${from} -> ${to}`),
    partitions: lines(({ partitions, first, last }) =>
      partitions === 1 ? first || 'whole table' : `${first} … ${last} (${partitions})`,
    ),
    files: move.files,
    bytes: move.bytes,
    state: move.state,
    why: move.reason ?? '',
    old: oldText(move),
  };
}

function oldText({ retired_waiting: waiting, grace_ends: ends }: PastMove): string {
  if (waiting === 0 || ends === null) return '';
  return `${countText(waiting)} until ${timeText(Date.parse(ends))}`;
}
