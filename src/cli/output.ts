import Table from 'cli-table3';
import type { Sink, Terminal } from './terminal.ts';

export const OUTPUT_FORMATS = ['text', 'json', 'ndjson'] as const;
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

type Row = object;

/** A column of a text table: the key in the row, its heading, and how a value is written. */
export interface Column {
  readonly key: string;
  readonly heading?: string;
  readonly align?: 'left' | 'right';
  readonly format?: (value: unknown) => string;
}

/**
 * What a command says. Results go to stdout: text for people, or one JSON document (`json`), or one object a line
 * (`ndjson`). Remarks go to stderr and never mix with results.
 */
export interface Output {
  readonly format: OutputFormat;
  /** Rows of objects. Returns how many there were. `json` holds them in memory; `ndjson` and a pipe do not need to. */
  rows(
    rows: Iterable<Row> | AsyncIterable<Row>,
    view?: { readonly columns?: readonly Column[]; readonly empty?: string },
  ): Promise<number>;
  /** One result: its JSON, or `text` for people. */
  result(value: object, text: string): void;
  /** A remark for people, on stderr, unless the log level is above `info`. */
  note(text: string): void;
}

/** 64-bit integers: numbers where a double holds them exactly, else strings (DESIGN 5). */
function jsonSafe(_key: string, value: unknown): unknown {
  if (typeof value !== 'bigint') return value;
  return BigInt(Number(value)) === value && Number.isSafeInteger(Number(value))
    ? Number(value)
    : value.toString();
}

/** JSON as the command line prints it. */
export function toJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, jsonSafe, indent);
}

function cellText(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'object') return toJson(value);
  return String(value);
}

function isNumeric(value: unknown): boolean {
  return typeof value === 'number' || typeof value === 'bigint';
}

function columnsOf(row: Row): Column[] {
  return Object.entries(row).map(([key, value]) => ({ key, align: isNumeric(value) ? 'right' : 'left' }));
}

const BORDERLESS = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
};

/** A plain table: a line of headings, a line a row, columns two spaces apart. */
export function textTable(rows: readonly Row[], columns: readonly Column[]): string {
  const table = new Table({
    chars: BORDERLESS,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0, compact: true },
    head: columns.map((column) => column.heading ?? column.key),
    colAligns: columns.map((column) => column.align ?? 'left'),
  });
  for (const row of rows) {
    const cells = new Map(Object.entries(row));
    table.push(columns.map((column) => (column.format ?? cellText)(cells.get(column.key))));
  }
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

/** So many rows of a text table are laid out together; a longer result repeats its headings. */
const TEXT_PAGE = 1000;

async function writeTextRows(
  sink: Sink,
  rows: Iterable<Row> | AsyncIterable<Row>,
  columns: readonly Column[] | undefined,
  empty: string,
): Promise<number> {
  let count = 0;
  let page: Row[] = [];
  const flush = () => {
    if (page.length > 0) sink.write(`${textTable(page, columns ?? columnsOf(page[0]!))}\n`);
    page = [];
  };
  for await (const row of rows) {
    count += 1;
    page.push(row);
    if (page.length === TEXT_PAGE) flush();
  }
  flush();
  if (count === 0) sink.write(`${empty}\n`);
  return count;
}

async function writeJsonRows(sink: Sink, rows: Iterable<Row> | AsyncIterable<Row>): Promise<number> {
  // Held back until the last row is there: an error on the way must not leave half a document on stdout.
  const lines: string[] = [];
  for await (const row of rows) lines.push(toJson(row));
  sink.write(lines.length === 0 ? '[]\n' : `[\n${lines.join(',\n')}\n]\n`);
  return lines.length;
}

async function writeJsonLines(sink: Sink, rows: Iterable<Row> | AsyncIterable<Row>): Promise<number> {
  let count = 0;
  for await (const row of rows) {
    sink.write(`${toJson(row)}\n`);
    count += 1;
  }
  return count;
}

/** An Output that writes to a terminal's streams. */
export function createOutput(terminal: Terminal, format: OutputFormat, logLevel: LogLevel): Output {
  const sink = terminal.stdout;
  const quiet = LOG_LEVELS.indexOf(logLevel) > LOG_LEVELS.indexOf('info');
  return {
    format,
    rows: (rows, view) => {
      if (format === 'json') return writeJsonRows(sink, rows);
      if (format === 'ndjson') return writeJsonLines(sink, rows);
      return writeTextRows(sink, rows, view?.columns, view?.empty ?? '(no rows)');
    },
    result: (value, text) => {
      if (format === 'text') sink.write(`${text}\n`);
      else sink.write(`${toJson(value, format === 'json' ? 2 : undefined)}\n`);
    },
    note: (text) => {
      if (!quiet) terminal.stderr.write(`${text}\n`);
    },
  };
}
