import { LakeError } from '../errors.ts';

interface QueryPlace {
  /** `line N, column M` */
  readonly position: string;
  /** The line of SQL, or the part of it that the engine shows, and below it a caret. */
  readonly shown: string;
}

/** Where in the query the engine's caret points; null where it points nowhere. */
function queryPlace(lines: readonly string[]): QueryPlace | null {
  const at = lines.findIndex((line) => /^LINE \d+: /.test(line));
  if (at < 0) return null;
  const [prefix = '', number = ''] = /^LINE (\d+): /.exec(lines[at] ?? '') ?? [];
  const code = lines[at]?.slice(prefix.length) ?? '';
  const caret = lines[at + 1]?.indexOf('^') ?? -1;
  if (caret < 0) return { position: `line ${number}`, shown: code };
  const column = caret - prefix.length;
  // Of a long line the engine shows the middle: how far it is from the line's start is not known.
  const position = code.startsWith('...') ? `line ${number}` : `line ${number}, column ${column + 1}`;
  return { position, shown: `${code}\n${' '.repeat(Math.max(0, column))}^` };
}

/** What the engine offers in place of a name that it does not know, as sentences. */
function candidates(lines: readonly string[]): string[] {
  return lines.flatMap((line) => {
    const names = /^(?:Did you mean|Candidate bindings:|Candidate Entries:)\s*(.+?)\??$/i.exec(line)?.[1];
    return names === undefined ? [] : [`Did you mean ${names}?`];
  });
}

/** The engine's first line as a sentence, without the class of error that the engine puts before it. */
function sentence(line: string): string {
  return line.replace(/^[A-Z][A-Za-z ]* Error: /, '').replace(/[!.]+$/, '');
}

const MEANING: readonly (readonly [
  RegExp,
  'usage' | 'invalid-argument' | 'unavailable' | 'corrupt' | 'unsupported',
  string,
])[] = [
  [/^(Parser|Binder|Catalog) Error/, 'usage', 'Correct the SQL and run it again; nothing was changed.'],
  [
    /No magic bytes|not a parquet file|Parquet.*(too small|corrupt|thrift)|TProtocolException|(don't|doesn't) match.*size|Snappy|ZSTD|out of buffer|Footer length error|bytes outside file|don't know what type|Could not read enough bytes|Invalid unicode/i,
    'corrupt',
    'The Parquet file is truncated or damaged: restore it from a backup or from its source.',
  ],
  [
    /^(Conversion|Out of Range|Invalid Input|Constraint|Mismatch Type|Invalid Type) Error/,
    'invalid-argument',
    'A value does not fit its type; nothing was changed.',
  ],
  [
    /^Out of Memory Error/,
    'unavailable',
    'Give the engine more memory or free space in its temporary folder, then try again.',
  ],
  [/^IO Error/, 'unavailable', 'Check that the file exists, that the disk has room and that it may be read.'],
  [/^Not implemented Error/, 'unsupported', 'Write the query without this construct.'],
];

/**
 * Turns an error of DuckDB into the project's. SQL that does not parse or bind is `usage` with the position in the query.
 */
export function duckDbError(cause: unknown): LakeError {
  if (cause instanceof LakeError) return cause;
  const message = (cause instanceof Error ? cause.message : String(cause)).replace(
    /^Failed to \w+ \w+: /,
    '',
  );
  const lines = message.split('\n');
  const first = sentence(lines[0] ?? message);
  const place = queryPlace(lines);
  for (const [pattern, kind, hint] of MEANING) {
    if (!pattern.test(message)) continue;
    return new LakeError(kind, place === null ? first : `${first}\n${place.shown}`, {
      cause,
      hint: [...candidates(lines), hint].join(' '),
      ...(place === null ? {} : { where: `query, ${place.position}` }),
    });
  }
  return new LakeError('internal', `DuckDB failed: ${first}`, {
    cause,
    hint: 'Nothing was committed. Please report it.',
  });
}

/** The error for SQL that is more or less than one question. `statements`: how many the engine counts. */
export function notOneQuery(sql: string, statements: number): LakeError {
  const details = {
    hint: 'Write one SELECT (or WITH, FROM, VALUES); tables are changed by other commands. Nothing was run.',
  };
  if (statements === 0) return new LakeError('usage', 'There is no query in the SQL', details);
  if (statements > 1) {
    return new LakeError(
      'usage',
      `The SQL has ${statements} statements, and only one can be asked at a time`,
      {
        hint: 'Run them one after another. Nothing was run.',
      },
    );
  }
  const word = /^(?:\s|--[^\n]*\n|\/\*[\s\S]*?\*\/)*([A-Za-z]+)/.exec(sql)?.[1]?.toUpperCase();
  const what = word === undefined ? 'This statement' : word;
  return new LakeError('usage', `${what} is refused: SQL here only reads`, details);
}
