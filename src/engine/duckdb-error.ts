import { LakeError } from '../errors.ts';

/** Where in the query the engine's caret points, as `line N, column M`; null where it points nowhere. */
function queryPosition(message: string): string | null {
  const lines = message.split('\n');
  const at = lines.findIndex((line) => /^LINE \d+: /.test(line));
  if (at < 0) return null;
  const [prefix = '', number = ''] = /^LINE (\d+): /.exec(lines[at] ?? '') ?? [];
  const caret = lines[at + 1]?.indexOf('^') ?? -1;
  const cut = lines[at]?.slice(prefix.length).startsWith('...') ?? true;
  return caret < 0 || cut ? `line ${number}` : `line ${number}, column ${caret - prefix.length + 1}`;
}

const MEANING: readonly (readonly [
  RegExp,
  'usage' | 'invalid-argument' | 'unavailable' | 'corrupt' | 'unsupported',
  string,
])[] = [
  [/^(Parser|Binder|Catalog) Error/, 'usage', 'Correct the SQL and run it again; nothing was changed.'],
  [
    /No magic bytes|not a parquet file|Parquet.*(too small|corrupt|thrift)|TProtocolException|(don't|doesn't) match.*size|Snappy|ZSTD|out of buffer/i,
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
  const first = message.split('\n')[0] ?? message;
  const where = queryPosition(message);
  const rest = message.split('\n').filter((line) => /^(Did you mean|Candidate)/.test(line));
  for (const [pattern, kind, hint] of MEANING) {
    if (!pattern.test(message)) continue;
    return new LakeError(kind, first, {
      cause,
      hint: [...rest, hint].join(' '),
      ...(where === null ? {} : { where: `query, ${where}` }),
    });
  }
  return new LakeError('internal', `DuckDB failed: ${first}`, {
    cause,
    hint: 'Nothing was committed. Please report it.',
  });
}
