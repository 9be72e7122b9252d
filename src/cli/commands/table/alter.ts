import type { Command } from 'commander';
import { LakeError } from '../../../errors.ts';
import type { ColumnPosition, SchemaChange } from '../../../iceberg/schema-evolution.ts';
import type { SortFieldRequest } from '../../../iceberg/sort-order.ts';
import { parseType } from '../../../iceberg/type-text.ts';
import { partitionRequests } from '../../../pipeline/partition-by.ts';
import { type Alteration, alterTable } from '../../../table/alter.ts';
import type { CommandFactory } from '../../command.ts';
import { withExamples } from '../../command.ts';
import { findTable } from '../../find-table.ts';
import type { Session } from '../../session.ts';

/** What the options say, in the order in which they were given. */
interface Asked {
  readonly columns: SchemaChange[];
  readonly set: Record<string, string>;
  readonly unset: string[];
  readonly addFields: string[];
  readonly dropFields: string[];
  sortBy?: SortFieldRequest[];
  formatVersion?: number;
  /** A line each, for the result. */
  readonly changes: string[];
}

const OPTIONS: readonly (readonly [
  flags: string,
  description: string,
  take: (asked: Asked, text: string) => void,
])[] = [
  ['--add-column <spec>', '"NAME TYPE", NAME may be nested: "address.city string"', takeColumn],
  [
    '--drop-column <name>',
    'older snapshots still show it',
    (asked, column) => asked.columns.push({ action: 'drop-column', column }),
  ],
  ['--rename-column <spec>', 'OLD=NEW', takeRename],
  ['--move-column <spec>', '"NAME first", "NAME after OTHER" or "NAME before OTHER"', takeMove],
  ['--widen-column <spec>', 'NAME=TYPE: int to long, float to double, decimal to more digits', takeWiden],
  [
    '--optional-column <name>',
    'allow nulls',
    (asked, column) => asked.columns.push({ action: 'make-optional', column }),
  ],
  ['--doc <spec>', 'NAME=TEXT', takeDoc],
  [
    '--add-partition <field>',
    'a column, day(c), month(c), bucket(16, c) …; for new files',
    (asked, text) => asked.addFields.push(text),
  ],
  ['--drop-partition <name>', 'a partition field by its name', (asked, text) => asked.dropFields.push(text)],
  ['--sort-by <columns>', '"a, b desc": the order of new files; "none" for no order', takeSort],
  ['--set <property>', 'KEY=VALUE', takeProperty],
  ['--unset <key>', 'remove a property', (asked, text) => asked.unset.push(text)],
  ['--upgrade-format <version>', '2: for tables of format v1; cannot be taken back', takeFormat],
];

/** `lake table alter TABLE …`: columns, partitioning, sort order, properties and format, in one commit. */
export const addTableAlter: CommandFactory = (parent, run) => {
  const asked: Asked = { columns: [], set: {}, unset: [], addFields: [], dropFields: [], changes: [] };
  const command: Command = parent
    .command('alter')
    .description(
      'change columns, partitioning, sort order and properties; all or none of it, no file is rewritten',
    )
    .argument('<table>', 'NAMESPACE.TABLE');
  for (const [flags, description, take] of OPTIONS) {
    const name = flags.slice(2, flags.indexOf(' '));
    command.option(flags, description, (text: string) => {
      take(asked, text);
      asked.changes.push(`${name} ${text}`);
      return text;
    });
  }
  command.action((name: string) => run((session) => alter(session, name, asked)));
  withExamples(command, [
    [
      'lake table alter gold.fct_flight --rename-column delay=delay_minutes --add-column "gate string"',
      'both changes in one commit',
    ],
    ['lake table alter gold.fct_flight --set write.merge.mode=merge-on-read', 'a property'],
    ['lake table alter old.events --upgrade-format 2', 'makes a v1 table writable'],
  ]);
};

async function alter(session: Session, name: string, asked: Asked): Promise<void> {
  if (asked.changes.length === 0) {
    throw new LakeError('usage', 'Say what is to change', { hint: 'See `lake table alter --help`.' });
  }
  const lake = await session.lake();
  const table = await findTable(lake, name);
  const done = await alterTable(lake, table.identifier, alterationOf(asked));
  const { metadata } = done.table;
  const result = {
    table: name,
    changed: done.staged !== null,
    changes: asked.changes,
    schema_id: metadata['current-schema-id'],
    spec_id: metadata['default-spec-id'],
    sort_order_id: metadata['default-sort-order-id'],
    format_version: metadata['format-version'],
  };
  const text = result.changed
    ? [`Altered ${name}:`, ...asked.changes.map((change) => `  ${change}`)].join('\n')
    : `${name} is like that already: nothing was changed.`;
  session.output.result(result, text);
}

function alterationOf(asked: Asked): Alteration {
  const { columns, set, unset, addFields, dropFields, sortBy, formatVersion } = asked;
  const partitioned = addFields.length + dropFields.length > 0;
  return {
    columns,
    setProperties: set,
    removeProperties: unset,
    ...(partitioned
      ? { partitioning: { add: partitionRequests(addFields, '--add-partition'), drop: dropFields } }
      : {}),
    ...(sortBy === undefined ? {} : { sortBy }),
    ...(formatVersion === undefined ? {} : { formatVersion }),
  };
}

/** Both sides of the first `=`. */
function pair(text: string, form: string): [string, string] {
  const at = text.indexOf('=');
  if (at <= 0) throw new LakeError('usage', `"${text}" is not ${form}`, { hint: `Write it as ${form}.` });
  return [text.slice(0, at).trim(), text.slice(at + 1).trim()];
}

function takeColumn(asked: Asked, text: string): void {
  const [, path = '', type = ''] = /^\s*(\S+)\s+(.+)$/s.exec(text) ?? [];
  if (path === '') {
    throw new LakeError('usage', `"${text}" is not a column with its type`, {
      hint: 'Write it as "gate string".',
    });
  }
  const dot = path.lastIndexOf('.');
  const parent = dot < 0 ? {} : { parent: path.slice(0, dot) };
  asked.columns.push({ action: 'add-column', ...parent, name: path.slice(dot + 1), type: parseType(type) });
}

function takeRename(asked: Asked, text: string): void {
  const [column, to] = pair(text, 'OLD=NEW');
  asked.columns.push({ action: 'rename-column', column, to });
}

function takeMove(asked: Asked, text: string): void {
  const match = /^\s*(\S+)\s+(?:(first)|(after|before)\s+(\S+))\s*$/.exec(text);
  if (!match) {
    throw new LakeError('usage', `"${text}" does not say where a column goes`, {
      hint: 'Write it as "NAME first", "NAME after OTHER" or "NAME before OTHER".',
    });
  }
  const [, column = '', first, side, other = ''] = match;
  const position: ColumnPosition = first ? 'first' : side === 'after' ? { after: other } : { before: other };
  asked.columns.push({ action: 'move-column', column, position });
}

function takeWiden(asked: Asked, text: string): void {
  const [column, type] = pair(text, 'NAME=TYPE');
  asked.columns.push({ action: 'widen-column', column, type: parseType(type) });
}

function takeDoc(asked: Asked, text: string): void {
  const [column, doc] = pair(text, 'NAME=TEXT');
  asked.columns.push({ action: 'set-doc', column, doc });
}

function takeSort(asked: Asked, text: string): void {
  asked.sortBy =
    text.trim() === 'none'
      ? []
      : text.split(',').map((part): SortFieldRequest => {
          const match = /^\s*(\S+)(?:\s+(asc|desc))?(?:\s+(nulls)\s+(first|last))?\s*$/i.exec(part);
          if (!match) {
            throw new LakeError('usage', `"${part}" is not a column to sort by`, {
              hint: 'Write it as "a, b desc, c asc nulls last".',
            });
          }
          const [, source = '', direction, nulls, end] = match;
          return {
            source,
            ...(direction ? { direction: direction.toLowerCase() === 'desc' ? 'desc' : 'asc' } : {}),
            ...(nulls ? { nullOrder: end?.toLowerCase() === 'first' ? 'nulls-first' : 'nulls-last' } : {}),
          };
        });
}

function takeProperty(asked: Asked, text: string): void {
  const [key, value] = pair(text, 'KEY=VALUE');
  asked.set[key] = value;
}

function takeFormat(asked: Asked, text: string): void {
  if (!/^[1-9]$/.test(text.trim())) {
    throw new LakeError('usage', `"${text}" is not a format version`, { hint: 'Write --upgrade-format 2.' });
  }
  asked.formatVersion = Number(text);
}
