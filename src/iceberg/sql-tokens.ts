import { LakeError } from '../errors.ts';

export interface Token {
  readonly kind: 'word' | 'quoted' | 'string' | 'number' | 'symbol' | 'end';
  /** Words and symbols as they stand; quoted names and strings without their quotes. */
  readonly text: string;
  /** Offset in the predicate's text. */
  readonly at: number;
}

const PATTERNS: readonly (readonly [Token['kind'], RegExp])[] = [
  ['string', /'((?:[^']|'')*)'/y],
  ['quoted', /"((?:[^"]|"")+)"/y],
  ['number', /((?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)(?![A-Za-z0-9_.])/y],
  ['word', /([\p{L}_][\p{L}\p{N}_$]*)/uy],
  ['symbol', /(<>|<=|>=|!=|==|[=<>(),.+-])/y],
];

/** Splits a predicate; @throws LakeError('unsupported') at a character that simple predicates do not have. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  for (let at = skipSpace(text, 0); at < text.length; ) {
    const found = tokenAt(text, at);
    // `--` begins a comment in SQL.
    if (!found || text.startsWith('--', at)) throw notSimple(text, at);
    tokens.push(found.token);
    at = skipSpace(text, found.end);
  }
  return [...tokens, { kind: 'end', text: '', at: text.length }];
}

export function notSimple(text: string, at: number): LakeError {
  const rest = text.slice(at, at + 20);
  return new LakeError(
    'unsupported',
    `this predicate cannot be used for pruning: "${rest || 'its end'}" at ${at + 1}`,
    {
      hint: "simple predicates compare columns with literals: a = 1 AND b IN (2, 3) AND c LIKE 'x%'",
    },
  );
}

function tokenAt(text: string, at: number): { token: Token; end: number } | null {
  for (const [kind, pattern] of PATTERNS) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (!match) continue;
    const quote = kind === 'string' ? "'" : kind === 'quoted' ? '"' : '';
    const content = match[1] ?? '';
    const inner = quote === '' ? content : content.replaceAll(quote + quote, quote);
    return { token: { kind, text: inner, at }, end: pattern.lastIndex };
  }
  return null;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length && /\s/.test(text.charAt(at))) at++;
  return at;
}
