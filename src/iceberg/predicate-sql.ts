import { type ComparisonKind, type Expression, FLIPPED } from './expressions.ts';
import type { Literal, SqlLiteral } from './literals.ts';
import { notSimple, type Token, tokenize } from './sql-tokens.ts';

const COMPARISONS: ReadonlyMap<string, ComparisonKind> = new Map<string, ComparisonKind>([
  ['=', 'eq'],
  ['==', 'eq'],
  ['<>', 'notEq'],
  ['!=', 'notEq'],
  ['<', 'lt'],
  ['<=', 'ltEq'],
  ['>', 'gt'],
  ['>=', 'gtEq'],
]);

/** Words that are no column names where an operand is expected. */
const RESERVED = new Set(
  'and or not in like ilike is null between true false case when cast exists select any all escape similar glob'.split(
    ' ',
  ),
);

const MAX_DEPTH = 200;

/**
 * Reads a predicate in SQL: comparisons of columns with literals (numbers, strings, TRUE, FALSE, DATE '…', TIMESTAMP '…',
 * TIMESTAMPTZ '…'), IN, BETWEEN, IS [NOT] NULL, LIKE with a prefix, isnan(x), starts_with(x, '…'), AND, OR, NOT and
 * parentheses.
 *
 * @throws LakeError('unsupported') for everything else, with its place; the engine may know it all the same.
 */
export function parsePredicate(text: string): Expression {
  const parser = new PredicateParser(text);
  return parser.parse();
}

class PredicateParser {
  readonly #text: string;
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
    this.#tokens = tokenize(text);
  }

  parse(): Expression {
    const expression = this.#disjunction();
    if (this.#peek().kind !== 'end') throw this.#refuse();
    return expression;
  }

  #disjunction(): Expression {
    const children = [this.#conjunction()];
    while (this.#takeWord('or')) children.push(this.#conjunction());
    return joined('or', children);
  }

  #conjunction(): Expression {
    const children = [this.#negation()];
    while (this.#takeWord('and')) children.push(this.#negation());
    return joined('and', children);
  }

  #negation(): Expression {
    if (this.#takeWord('not')) return this.#nested(() => ({ kind: 'not', child: this.#negation() }));
    if (!this.#takeSymbol('(')) return this.#predicate();
    return this.#nested(() => {
      const inner = this.#disjunction();
      this.#expectSymbol(')');
      return inner;
    });
  }

  /** Bounds the recursion: a text of parentheses must not exhaust the stack. */
  #nested(parse: () => Expression): Expression {
    if (++this.#depth > MAX_DEPTH) throw this.#refuse();
    const expression = parse();
    this.#depth--;
    return expression;
  }

  #predicate(): Expression {
    const constant = this.#literal();
    if (constant !== null) {
      const comparison = COMPARISONS.get(this.#peek().text);
      if (comparison === undefined || this.#peek().kind !== 'symbol') {
        if (typeof constant === 'boolean') return { kind: constant ? 'true' : 'false' };
        throw this.#refuse();
      }
      this.#next++;
      return { kind: FLIPPED[comparison], column: this.#column(), literal: constant };
    }
    if (this.#peek(1).text === '(') return this.#call();
    return this.#aboutColumn(this.#column());
  }

  #call(): Expression {
    const name = this.#peek();
    const known = name.kind === 'word' ? name.text.toLowerCase() : '';
    if (known !== 'isnan' && known !== 'starts_with') throw this.#refuse();
    this.#next += 2;
    const column = this.#column();
    let prefix = '';
    if (known === 'starts_with') {
      this.#expectSymbol(',');
      prefix = this.#string();
    }
    this.#expectSymbol(')');
    return known === 'isnan' ? { kind: 'isNan', column } : { kind: 'startsWith', column, prefix };
  }

  #aboutColumn(column: string): Expression {
    const operator = this.#peek();
    const comparison = operator.kind === 'symbol' ? COMPARISONS.get(operator.text) : undefined;
    if (comparison !== undefined) {
      this.#next++;
      return { kind: comparison, column, literal: this.#expectLiteral() };
    }
    if (this.#takeWord('is')) return this.#nullTest(column);
    if (this.#isWord('not') && ['in', 'like', 'between'].includes(this.#peek(1).text.toLowerCase())) {
      this.#next++;
      return { kind: 'not', child: this.#operation(column) };
    }
    if (this.#isWord('in') || this.#isWord('like') || this.#isWord('between')) return this.#operation(column);
    return { kind: 'eq', column, literal: true };
  }

  #nullTest(column: string): Expression {
    const negated = this.#takeWord('not');
    if (!this.#takeWord('null')) throw this.#refuse();
    return { kind: negated ? 'notNull' : 'isNull', column };
  }

  #operation(column: string): Expression {
    if (this.#takeWord('in')) return { kind: 'in', column, literals: this.#literalList() };
    if (this.#takeWord('like')) return this.#like(column);
    if (!this.#takeWord('between')) throw this.#refuse();
    const lower = this.#expectLiteral();
    if (!this.#takeWord('and')) throw this.#refuse();
    const upper = this.#expectLiteral();
    return {
      kind: 'and',
      children: [
        { kind: 'gtEq', column, literal: lower },
        { kind: 'ltEq', column, literal: upper },
      ],
    };
  }

  #like(column: string): Expression {
    const at = this.#next;
    const pattern = this.#string();
    const prefix = pattern.endsWith('%') ? pattern.slice(0, -1) : pattern;
    if (/[%_\\]/.test(prefix) || this.#isWord('escape')) {
      this.#next = at;
      throw this.#refuse();
    }
    if (prefix !== pattern) return { kind: 'startsWith', column, prefix };
    return { kind: 'eq', column, literal: { sql: 'string', text: pattern } };
  }

  #literalList(): Literal[] {
    this.#expectSymbol('(');
    const literals = [this.#expectLiteral()];
    while (this.#takeSymbol(',')) literals.push(this.#expectLiteral());
    this.#expectSymbol(')');
    return literals;
  }

  #expectLiteral(): Literal {
    const literal = this.#literal();
    if (literal === null) throw this.#refuse();
    return literal;
  }

  /** The literal that comes next; null, and nothing taken, if it is something else. */
  #literal(): Literal | null {
    if (this.#takeWord('true')) return true;
    if (this.#takeWord('false')) return false;
    const token = this.#peek();
    if (token.kind === 'string') return { sql: 'string', text: this.#string() };
    if (token.kind === 'number') {
      this.#next++;
      return { sql: 'number', text: token.text };
    }
    if (
      token.kind === 'symbol' &&
      (token.text === '-' || token.text === '+') &&
      this.#peek(1).kind === 'number'
    ) {
      this.#next += 2;
      return {
        sql: 'number',
        text: (token.text === '-' ? '-' : '') + (this.#tokens[this.#next - 1]?.text ?? ''),
      };
    }
    return this.#typedLiteral();
  }

  /** DATE, TIMESTAMP and TIMESTAMPTZ may be columns' names, too: they are types before a string. */
  #typedLiteral(): SqlLiteral | null {
    const word = this.#peek().kind === 'word' ? this.#peek().text.toLowerCase() : '';
    if (word !== 'date' && word !== 'timestamp' && word !== 'timestamptz') return null;
    if (this.#peek(1).kind !== 'string') return null;
    this.#next++;
    return { sql: word, text: this.#string() };
  }

  #string(): string {
    const token = this.#peek();
    if (token.kind !== 'string') throw this.#refuse();
    this.#next++;
    return token.text;
  }

  #column(): string {
    const parts = [this.#name()];
    while (this.#takeSymbol('.')) parts.push(this.#name());
    return parts.join('.');
  }

  #name(): string {
    const token = this.#peek();
    const plain = token.kind === 'word' && !RESERVED.has(token.text.toLowerCase());
    if (token.kind !== 'quoted' && !plain) throw this.#refuse();
    this.#next++;
    return token.text;
  }

  #peek(ahead = 0): Token {
    const last = this.#tokens.length - 1;
    return (
      this.#tokens[Math.min(this.#next + ahead, last)] ?? { kind: 'end', text: '', at: this.#text.length }
    );
  }

  #isWord(word: string): boolean {
    return this.#peek().kind === 'word' && this.#peek().text.toLowerCase() === word;
  }

  #takeWord(word: string): boolean {
    if (!this.#isWord(word)) return false;
    this.#next++;
    return true;
  }

  #takeSymbol(symbol: string): boolean {
    if (this.#peek().kind !== 'symbol' || this.#peek().text !== symbol) return false;
    this.#next++;
    return true;
  }

  #expectSymbol(symbol: string): void {
    if (!this.#takeSymbol(symbol)) throw this.#refuse();
  }

  #refuse(): Error {
    return notSimple(this.#text, this.#peek().at);
  }
}

function joined(kind: 'and' | 'or', children: Expression[]): Expression {
  const [only, ...others] = children;
  return only !== undefined && others.length === 0 ? only : { kind, children };
}
