import { LakeError } from '../errors.ts';
import { notOneQuery } from './duckdb-error.ts';
import { type SqlToken, sqlTokens } from './trino-tokens.ts';

/** A table that a query names where it reads one. */
export interface TableMention {
  /** `schema.table` or `catalog.schema.table`, in lower case as Trino takes names. */
  readonly parts: readonly string[];
  /** Offset in the SQL behind the name. */
  readonly end: number;
}

/** What a level of brackets holds at the moment. */
interface Level {
  part: 'select list' | 'from' | 'other';
  /** A table, a subquery or a join comes next. */
  isTableNext: boolean;
}

type Step = (level: Level, before: string | undefined) => void;

const enter =
  (part: Level['part'], isTableNext = false): Step =>
  (level) => {
    level.part = part;
    level.isTableNext = isTableNext;
  };
const endFrom: Step = (level) => {
  if (level.part === 'from') enter('other')(level, undefined);
};
const noTable: Step = (level) => {
  level.isTableNext = false;
};

/** What words of SQL do to the level of brackets that they stand in. */
const STEPS: ReadonlyMap<string, Step> = new Map<string, Step>([
  ['select', enter('select list')],
  ['join', enter('from', true)],
  ['with', enter('other')],
  ['values', enter('other')],
  // FROM of `extract(year FROM x)` and of `a IS DISTINCT FROM b` names no table.
  [
    'from',
    (level, before) => {
      if (level.part === 'select list' && before !== 'distinct') enter('from', true)(level, before);
    },
  ],
  ...['lateral', 'unnest', 'json_table'].map((word): [string, Step] => [word, noTable]),
  ...'where group having order limit offset fetch window union except intersect'
    .split(' ')
    .map((word): [string, Step] => [word, endFrom]),
]);

const isName = (token: SqlToken | undefined): boolean => token?.kind === 'word' || token?.kind === 'quoted';

type Follows = (next: SqlToken | undefined, second: SqlToken | undefined) => boolean;

const isCount = (token: SqlToken | undefined): boolean => token?.kind === 'number' || token?.text === '?';
const isWord = (token: SqlToken | undefined, ...words: readonly string[]): boolean =>
  token?.kind === 'word' && words.includes(token.text);

/** Words that begin a clause where this follows them, and are names, such as aliases, elsewhere: Trino reserves none of them. */
const UNRESERVED: ReadonlyMap<string, Follows> = new Map<string, Follows>([
  ['limit', (next) => isCount(next) || isWord(next, 'all')],
  ['offset', isCount],
  ['fetch', (next) => isWord(next, 'first', 'next')],
  ['window', (next, second) => isName(next) && isWord(second, 'as')],
]);

/** Refuses all but one query: by Trino's grammar nothing else begins with these words, and no query writes. Errors: `usage`. */
export function refuseWrites(sql: string): void {
  const first = sqlTokens(sql).find(({ text }) => text !== '(');
  if (first?.kind !== 'word' || !['select', 'with', 'values', 'table'].includes(first.text)) {
    throw notOneQuery(sql, first === undefined ? 0 : 1);
  }
}

/**
 * The tables that a query names by more than one part, wherever it reads one; a name of one part is that of a CTE, as there is no default schema.
 * Errors: `unsupported` for what could hide a table: TABLE, a function of the query's own, a name that stands for a table here and for something else there, a version of its own.
 */
export function tableMentions(sql: string): TableMention[] {
  const tokens = sqlTokens(sql);
  refuseHidden(tokens);
  const mentions: TableMention[] = [];
  const others: string[] = [];
  const levels: Level[] = [{ part: 'other', isTableNext: false }];
  for (let i = 0; i < tokens.length; i++) {
    const level = levels.at(-1);
    const previous = tokens[i - 1];
    const [token, before] = [tokens[i], previous?.kind === 'quoted' ? undefined : previous?.text];
    if (level === undefined || token === undefined) throw refused('its brackets do not match');
    if (token.kind === 'symbol') takeSymbol(token.text, level, levels);
    if (token.kind !== 'word' && token.kind !== 'quoted') continue;
    const step = before === '.' ? undefined : stepAt(tokens, i);
    if (step !== undefined) {
      step(level, before);
      continue;
    }
    const name = nameAt(tokens, i);
    i += name.length * 2 - 2;
    if (!level.isTableNext) others.push(name.join('.'));
    else if (name.length > 1) mentions.push(mention(name, tokens, i));
    level.isTableNext = false;
  }
  if (levels.length !== 1) throw refused('its brackets do not match');
  refuseOtherUses(mentions, others);
  return mentions;
}

/**
 * The query with every table of it at one snapshot.
 *
 * @param snapshots of the mentions, in their order
 */
export function pinTables(
  sql: string,
  mentions: readonly TableMention[],
  snapshots: readonly bigint[],
): string {
  let pinned = '';
  let from = 0;
  for (const [i, { end }] of mentions.entries()) {
    pinned += `${sql.slice(from, end)} FOR VERSION AS OF ${snapshots[i]}`;
    from = end;
  }
  return pinned + sql.slice(from);
}

function stepAt(tokens: readonly SqlToken[], at: number): Step | undefined {
  const token = tokens[at];
  if (token?.kind !== 'word') return undefined;
  const isClause = UNRESERVED.get(token.text)?.(tokens[at + 1], tokens[at + 2]) ?? true;
  return isClause ? STEPS.get(token.text) : undefined;
}

function takeSymbol(symbol: string, level: Level, levels: Level[]): void {
  if (symbol === '(' || symbol === '[') {
    const opensTable = symbol === '(' && level.isTableNext;
    level.isTableNext = false;
    levels.push({ part: opensTable ? 'from' : 'other', isTableNext: opensTable });
  } else if (symbol === ')' || symbol === ']') {
    levels.pop();
  } else if (symbol === ',' && level.part === 'from') {
    level.isTableNext = true;
  }
}

/** `a.b.c` from a token on, as long as it goes. */
function nameAt(tokens: readonly SqlToken[], from: number): string[] {
  const name = [tokens[from]?.text ?? ''];
  for (let i = from + 1; tokens[i]?.text === '.' && isName(tokens[i + 1]); i += 2)
    name.push(tokens[i + 1]?.text ?? '');
  return name;
}

function mention(parts: readonly string[], tokens: readonly SqlToken[], last: number): TableMention {
  const name = parts.join('.');
  if (tokens[last + 1]?.text === 'for') throw refused(`it names a version of ${name} itself`);
  if (tokens[last + 1]?.text === '(') throw refused(`${name}(…) is a function`);
  return { parts, end: tokens[last]?.end ?? 0 };
}

function refuseHidden(tokens: readonly SqlToken[]): void {
  for (const [i, { kind, text }] of tokens.entries()) {
    const before = tokens[i - 1]?.text;
    if (kind === 'word' && text === 'table' && before !== '.') throw refused('it has TABLE in it');
    if (kind === 'word' && text === 'function' && before === 'with')
      throw refused('it has a function of its own');
    if (kind === 'quoted' && before === '&') throw refused('it has names in U&"…"');
  }
}

/** A read that was taken for something else would see the present. */
function refuseOtherUses(mentions: readonly TableMention[], others: readonly string[]): void {
  const names = new Set(mentions.flatMap(({ parts }) => [parts.join('.'), parts.slice(-2).join('.')]));
  const twice = others.find((name) => names.has(name) || names.has(name.split('.').slice(-2).join('.')));
  if (twice !== undefined)
    throw refused(`"${twice}" stands in it for a table and for something else, such as a column`);
}

function refused(why: string): LakeError {
  return new LakeError(
    'unsupported',
    `Trino cannot be made to read each table of this query at one snapshot: ${why}`,
    {
      hint: 'Name tables as namespace.table in FROM and JOIN, give them aliases, and use neither TABLE nor FOR VERSION. Nothing was asked.',
    },
  );
}
