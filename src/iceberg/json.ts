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
