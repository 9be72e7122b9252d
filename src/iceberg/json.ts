import { LakeError } from '../errors.ts';

/** What ES2025 adds to JSON and TypeScript's es2024 library does not know yet. */
interface SourceTextJson {
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
  ): unknown;
  rawJSON(text: string): object;
}

const json: SourceTextJson = JSON as JSON & SourceTextJson;
const INTEGER = /^-?\d+$/;

/**
 * Parses JSON without losing 64-bit integers: an integer literal beyond 2^53 becomes a bigint, and snapshot
 * ids (`snapshot-id`, `…-snapshot-id`, the elements of `snapshot-ids`) are always bigint; null stays null.
 *
 * @throws LakeError('corrupt') with line and column, or the text around the error, if `text` is no JSON.
 */
export function parseJson(text: string): unknown {
  return parseTagged(text) ?? parseRevived(text);
}

/** True for what stands between braces. */
export function isJsonObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** With a look at the source of every number: exact for all texts, and slow. */
function parseRevived(text: string): unknown {
  try {
    return json.parse(text, (key, value, context) => {
      if (typeof value === 'number') return reviveNumber(key, value, context.source ?? '');
      if (key === 'snapshot-ids' && Array.isArray(value)) return value.map(toBigint);
      return value;
    });
  } catch (cause) {
    throw syntaxError(text, cause);
  }
}

/** Begins the texts that stand for snapshot ids meanwhile. */
const TAG = '\u0000id:';
const ID_KEY_END = 'snapshot-id"';
const ID_VALUE = /\s*:\s*(-?(?:0|[1-9]\d*))(?=[\s,}])/y;
/** What is not told by the tagged text alone. */
const UNSURE = Symbol('unsure');

/**
 * The same by the engine's own parser: ids, nearly all of the large integers in metadata, are put into quotes and a tag first, and made bigint after.
 * Null where the text holds anything that only `parseRevived` gets right, errors included.
 */
function parseTagged(text: string): unknown {
  if (text.includes('\\u0000')) return null;
  try {
    const value: unknown = JSON.parse(tagIds(text));
    return typeof value === 'object' && value !== null && untag(value) !== UNSURE ? value : null;
  } catch {
    return null;
  }
}

/** In valid JSON a quote behind the key's end closes a string, and what a colon and a number follow is a key. */
function tagIds(text: string): string {
  const parts: string[] = [];
  let done = 0;
  for (let at = text.indexOf(ID_KEY_END); at >= 0; at = text.indexOf(ID_KEY_END, at + 1)) {
    const before = text[at - 1];
    if (before !== '-' && (before !== '"' || text[at - 2] === '\\')) continue;
    ID_VALUE.lastIndex = at + ID_KEY_END.length;
    const digits = ID_VALUE.exec(text)?.[1];
    if (digits === undefined) continue;
    parts.push(text.slice(done, ID_VALUE.lastIndex - digits.length), `"\\u0000id:${digits}"`);
    done = ID_VALUE.lastIndex;
  }
  parts.push(text.slice(done));
  return parts.join('');
}

/** Replaces the tags in place. */
function untag(item: object): typeof UNSURE | undefined {
  const values: Record<string, unknown> = item as Record<string, unknown>;
  for (const key of Object.keys(values)) {
    const value = values[key];
    if (typeof value === 'string') {
      if (value.charCodeAt(0) === 0 && value.startsWith(TAG)) values[key] = BigInt(value.slice(TAG.length));
    } else if (typeof value === 'number') {
      if (Number.isInteger(value) && (!Number.isSafeInteger(value) || isSnapshotIdKey(key))) return UNSURE;
    } else if (typeof value === 'object' && value !== null) {
      if (key === 'snapshot-ids' || untag(value) === UNSURE) return UNSURE;
    }
  }
  return undefined;
}

/**
 * Renders JSON; a bigint becomes an integer literal, and -0 keeps its sign (it may be a column's default).
 *
 * @param indent spaces a level; compact if absent.
 */
export function stringifyJson(value: unknown, indent?: number): string {
  const replacer = (_key: string, item: unknown): unknown => {
    if (typeof item === 'bigint') return json.rawJSON(item.toString());
    return Object.is(item, -0) ? json.rawJSON('-0.0') : item;
  };
  return JSON.stringify(value, replacer, indent);
}

function reviveNumber(key: string, value: number, source: string): number | bigint {
  if (isSnapshotIdKey(key) && INTEGER.test(source)) return BigInt(source);
  return !Number.isSafeInteger(value) && INTEGER.test(source) ? BigInt(source) : value;
}

function isSnapshotIdKey(key: string): boolean {
  return key === 'snapshot-id' || key.endsWith('-snapshot-id');
}

function toBigint(value: unknown): unknown {
  return typeof value === 'number' && Number.isInteger(value) ? BigInt(value) : value;
}

function syntaxError(text: string, cause: unknown): LakeError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const where = errorPosition(text, reason);
  return new LakeError('corrupt', `not valid JSON: ${reason}`, {
    ...(where === null ? {} : { where }),
    hint: 'the document is cut off or was not written as JSON; restore it from its source',
    cause,
  });
}

/** V8 names the position, or quotes the text around the error instead (then null: the message says it). */
function errorPosition(text: string, reason: string): string | null {
  const named = /at position (\d+)/.exec(reason)?.[1];
  if (named === undefined && !reason.includes('end of JSON input')) return null;
  const before = text.slice(0, named === undefined ? text.length : Number(named));
  return `line ${before.split('\n').length}, column ${before.length - before.lastIndexOf('\n')}`;
}
