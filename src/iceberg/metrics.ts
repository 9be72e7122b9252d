import type { DataFile } from './manifest.ts';
import { type PrimitiveKind, type PrimitiveValue, primitiveKind, type Type } from './types.ts';
import { encodeValue } from './values.ts';

/** How much of a column's metrics a file's manifest entry keeps (table properties `write.metadata.metrics.*`). */
export type MetricsMode =
  | { readonly kind: 'none' | 'counts' | 'full' }
  /** Bounds are cut to `length` characters (code points) or bytes. */
  | { readonly kind: 'truncate'; readonly length: number };

const DEFAULT_MODE: MetricsMode = { kind: 'truncate', length: 16 };
const DEFAULT_PROPERTY = 'write.metadata.metrics.default';
const COLUMN_PROPERTY = 'write.metadata.metrics.column.';

/** What was seen of a column in a file. */
export interface ColumnMetrics {
  readonly fieldId: number;
  readonly type: Type;
  /** On disk, in bytes. */
  readonly size?: number;
  /** Including nulls and NaN. */
  readonly valueCount: number;
  readonly nullCount: number;
  readonly nanCount?: number;
  /** Lowest and highest value that is neither null nor NaN. */
  readonly lower?: PrimitiveValue;
  readonly upper?: PrimitiveValue;
}

export type FileMetrics = Pick<
  DataFile,
  'columnSizes' | 'valueCounts' | 'nullValueCounts' | 'nanValueCounts' | 'lowerBounds' | 'upperBounds'
>;

/**
 * The mode of a column by its dotted name: its own property, else the table's default, else truncate(16).
 * A mode that is none of the known ones counts as not given.
 */
export function metricsMode(properties: Readonly<Record<string, string>>, column: string): MetricsMode {
  return (
    parseMode(properties[COLUMN_PROPERTY + column]) ?? parseMode(properties[DEFAULT_PROPERTY]) ?? DEFAULT_MODE
  );
}

/**
 * The metrics of a file as its manifest entry keeps them (spec: "Data File Fields", 108 to 128).
 *
 * @param modeOf the mode of a column, by field id.
 */
export function buildMetrics(
  columns: Iterable<ColumnMetrics>,
  modeOf: (fieldId: number) => MetricsMode = () => DEFAULT_MODE,
): Required<FileMetrics> {
  const columnSizes = new Map<number, number>();
  const valueCounts = new Map<number, number>();
  const nullValueCounts = new Map<number, number>();
  const nanValueCounts = new Map<number, number>();
  const lowerBounds = new Map<number, Uint8Array>();
  const upperBounds = new Map<number, Uint8Array>();
  for (const column of columns) {
    const mode = modeOf(column.fieldId);
    if (column.size !== undefined) columnSizes.set(column.fieldId, column.size);
    if (mode.kind === 'none') continue;
    valueCounts.set(column.fieldId, column.valueCount);
    nullValueCounts.set(column.fieldId, column.nullCount);
    if (column.nanCount !== undefined) nanValueCounts.set(column.fieldId, column.nanCount);
    const { lower, upper } = boundsOf(column, mode);
    if (lower !== null) lowerBounds.set(column.fieldId, encodeValue(column.type, lower));
    if (upper !== null) upperBounds.set(column.fieldId, encodeValue(column.type, upper));
  }
  return { columnSizes, valueCounts, nullValueCounts, nanValueCounts, lowerBounds, upperBounds };
}

/** A value at or below `value` of at most `length` characters (string) or bytes (binary); others stay whole. */
export function truncateLowerBound(type: Type, value: PrimitiveValue, length: number): PrimitiveValue {
  if (type === 'string' && typeof value === 'string') return firstCharacters(value, length).join('');
  return type === 'binary' && value instanceof Uint8Array ? value.slice(0, length) : value;
}

/** A value at or above `value`, as short as `truncateLowerBound` makes it; null if there is none. */
export function truncateUpperBound(type: Type, value: PrimitiveValue, length: number): PrimitiveValue | null {
  if (type === 'string' && typeof value === 'string') {
    const first = firstCharacters(value, length);
    const cut = first.join('');
    return cut.length === value.length ? value : nextText(first);
  }
  if (type === 'binary' && value instanceof Uint8Array) {
    return value.length <= length ? value : nextBytes(value.slice(0, length));
  }
  return value;
}

/** The lowest string above all that begin with these characters; null if there is none. */
export function nextText(characters: readonly string[]): string | null {
  for (let end = characters.length; end > 0; end--) {
    const next = nextCodePoint(characters[end - 1]?.codePointAt(0) ?? 0);
    if (next !== null) return characters.slice(0, end - 1).join('') + String.fromCodePoint(next);
  }
  return null;
}

/** The lowest bytes above all that begin with these; null if there are none. */
export function nextBytes(bytes: Uint8Array): Uint8Array | null {
  for (let end = bytes.length; end > 0; end--) {
    const last = bytes[end - 1] ?? 0;
    if (last < 0xff) return Uint8Array.of(...bytes.slice(0, end - 1), last + 1);
  }
  return null;
}

/** Surrogates are no characters: after U+D7FF comes U+E000. */
function nextCodePoint(codePoint: number): number | null {
  if (codePoint === 0xd7ff) return 0xe000;
  return codePoint >= 0x10ffff ? null : codePoint + 1;
}

/** At most `length` characters (code points) of the text. */
export function firstCharacters(text: string, length: number): string[] {
  const characters: string[] = [];
  for (const character of text) {
    if (characters.length >= length) break;
    characters.push(character);
  }
  return characters;
}

/** Kinds whose bounds are something other than the lowest and highest value. */
const NO_BOUNDS: readonly PrimitiveKind[] = ['unknown', 'variant', 'geometry', 'geography'];

function boundsOf(
  column: ColumnMetrics,
  mode: MetricsMode,
): { lower: PrimitiveValue | null; upper: PrimitiveValue | null } {
  const { lower, upper, type } = column;
  if (mode.kind === 'counts' || lower === undefined || upper === undefined)
    return { lower: null, upper: null };
  if (NO_BOUNDS.includes(primitiveKind(type))) return { lower: null, upper: null };
  if (mode.kind !== 'truncate') return { lower, upper };
  return {
    lower: truncateLowerBound(type, lower, mode.length),
    upper: truncateUpperBound(type, upper, mode.length),
  };
}

function parseMode(text: string | undefined): MetricsMode | null {
  const lower = text?.trim().toLowerCase();
  if (lower === 'none' || lower === 'counts' || lower === 'full') return { kind: lower };
  const length = Number(/^truncate\((\d+)\)$/.exec(lower ?? '')?.[1] ?? 0);
  return length > 0 ? { kind: 'truncate', length } : null;
}
