import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What an engine's tests saw: it works (asserted by rows), or in part; the engine refuses it, with its message; or it answers something else than it should. */
export type Seen =
  | 'works'
  | { readonly partly: string }
  | { readonly refused: string }
  | { readonly wrong: string };

/** `writes`: the engine does it and Lakewarden reads. `reads`: Lakewarden does it and the engine reads. */
export type Direction = 'writes' | 'reads';

export type MatrixPartName = 'operations' | 'types';

/** A row's name to what was seen in each direction; one that is not there does not apply. */
export type MatrixPartRows = Readonly<Record<string, Readonly<Partial<Record<Direction, Seen>>>>>;

/** A file of test/engines/matrix: what the tests of one engine saw. */
export interface MatrixFile {
  /** Name and version, as the page shows them. */
  readonly engine: string;
  readonly operations: MatrixPartRows;
  readonly types: MatrixPartRows;
}

/** One file an engine, `trino.json`. */
export const MATRIX_FOLDER: string = join(import.meta.dirname, 'matrix');
/** The page with the tables. */
export const MATRIX_PAGE: string = join(import.meta.dirname, '../../docs/engines.md');

const PARTS: readonly MatrixPartName[] = ['operations', 'types'];
const DIRECTIONS: readonly Direction[] = ['writes', 'reads'];
/** These come first, so that rows of the same name follow the first engine's order. */
const FIRST = 'trino';

/** The files of all engines, in the order of the tables' columns. */
export function matrixFiles(): readonly MatrixFile[] {
  return readdirSync(MATRIX_FOLDER)
    .filter((name) => name.endsWith('.json'))
    .sort((a, b) => Number(b.startsWith(FIRST)) - Number(a.startsWith(FIRST)) || a.localeCompare(b))
    .map((name): MatrixFile => JSON.parse(readFileSync(join(MATRIX_FOLDER, name), 'utf8')));
}

/** The page with its tables, between `<!-- matrix: operations -->` and `<!-- matrix: end -->` and likewise for types, made anew. */
export function renderedPage(page: string, files: readonly MatrixFile[]): string {
  return PARTS.reduce((text, part) => {
    const [start, end] = [`<!-- matrix: ${part} -->\n`, '<!-- matrix: end -->'];
    const from = text.indexOf(start);
    const to = text.indexOf(end, from);
    if (from < 0 || to < 0) throw new Error(`docs/engines.md has no place for the table of ${part}`);
    return `${text.slice(0, from + start.length)}\n${table(part, files)}\n${text.slice(to)}`;
  }, page);
}

function table(part: MatrixPartName, files: readonly MatrixFile[]): string {
  const shown = files.filter((file) => Object.keys(file[part]).length > 0);
  const notes: string[] = [];
  const noted = (mark: string, text: string): string => {
    if (!notes.includes(text)) notes.push(text);
    return `${mark} (${notes.indexOf(text) + 1})`;
  };
  const cell = (seen: Seen | undefined, { engine }: MatrixFile): string => {
    if (seen === undefined) return '';
    if (seen === 'works') return 'yes';
    if ('refused' in seen) return noted('refused', `${engine} refuses: ${asText(seen.refused)}`);
    if ('partly' in seen) return noted('partly', `${engine}: ${asText(seen.partly)}`);
    return noted('**wrong**', `${engine}: ${asText(seen.wrong)}`);
  };
  const names = [...new Set(shown.flatMap((file) => Object.keys(file[part])))];
  const columns = shown.flatMap((file) => DIRECTIONS.map((direction) => ({ file, direction })));
  const lines = [
    ['', ...columns.map(({ file, direction }) => `${file.engine} ${direction}`)],
    ['---', ...columns.map(() => '---')],
    ...names.map((name) => [
      asText(name),
      ...columns.map(({ file, direction }) => cell(file[part][name]?.[direction], file)),
    ]),
  ];
  const list = notes.map((note, i) => `${i + 1}. ${note}`);
  return [
    ...lines.map((cells) => `| ${cells.join(' | ')} |`),
    ...(list.length > 0 ? ['', ...list] : []),
    '',
  ].join('\n');
}

const asText = (text: string): string => text.replace(/[|<>*]/g, (sign) => `\\${sign}`);
