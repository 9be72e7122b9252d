/** A piece of SQL in Trino's words. Comments and spaces are none. */
export interface SqlToken {
  readonly kind: 'word' | 'quoted' | 'string' | 'number' | 'symbol';
  /** Quoted names without their quotes, words and names in lower case as Trino takes them, all else as it stands. */
  readonly text: string;
  /** Offset in the SQL behind it. */
  readonly end: number;
}

const SKIPPED = /(?:\s|--[^\r\n]*|\/\*[\s\S]*?\*\/)+/y;
const PATTERNS: readonly (readonly [SqlToken['kind'], RegExp])[] = [
  ['string', /'(?:[^']|'')*'/y],
  ['quoted', /"(?:[^"]|"")*"/y],
  ['word', /[\p{L}_][\p{L}\p{N}_]*/uy],
  ['number', /(?:\d+\.\d*|\.\d+)(?:e[+-]?\d+)?|\d[\p{L}\p{N}_]*/iuy],
  ['symbol', /[\s\S]/uy],
];

/** Splits SQL as Trino does; what is no SQL comes out as symbols. */
export function sqlTokens(sql: string): SqlToken[] {
  const tokens: SqlToken[] = [];
  for (let at = skip(sql, 0); at < sql.length; ) {
    const token = tokenAt(sql, at);
    tokens.push(token);
    at = skip(sql, token.end);
  }
  return tokens;
}

function tokenAt(sql: string, at: number): SqlToken {
  for (const [kind, pattern] of PATTERNS) {
    pattern.lastIndex = at;
    const found = pattern.exec(sql)?.[0];
    if (found !== undefined) return { kind, text: textOf(kind, found), end: at + found.length };
  }
  return { kind: 'symbol', text: sql.slice(at), end: sql.length };
}

function textOf(kind: SqlToken['kind'], found: string): string {
  if (kind === 'quoted') return found.slice(1, -1).replaceAll('""', '"').toLowerCase();
  return kind === 'word' ? found.toLowerCase() : found;
}

function skip(sql: string, at: number): number {
  SKIPPED.lastIndex = at;
  return at + (SKIPPED.exec(sql)?.[0].length ?? 0);
}
