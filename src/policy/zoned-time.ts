import type { Type } from '../iceberg/types.ts';

const DAY_MS = 86_400_000;
/** 1000-01-01: long before there were time zones, and below it calendars count years in eras. */
const FIRST_ZONED_MS = -30_610_224_000_000;

/**
 * The instant at which a wall clock in `timezone` shows `localMs` (milliseconds since 1970 as if UTC). A time
 * that a clock change skips or repeats gives the instant after the skip, or the first of the two.
 */
export function instantOfLocal(localMs: number, timezone: string): number {
  const before = localMs - offsetAt(localMs - DAY_MS, timezone);
  if (offsetAt(before, timezone) === localMs - before) return before;
  return localMs - offsetAt(localMs + DAY_MS, timezone);
}

/** A point in time of a column's type, in microseconds, as the instant in ms since 1970 UTC, rounded up. */
export function instantMs(micros: bigint, type: Type, timezone: string): number {
  const ms = Number(micros / 1000n) + (micros % 1000n > 0n ? 1 : 0);
  return isInstant(type) ? ms : instantOfLocal(ms, timezone);
}

/** True for types whose values are instants; dates and timestamps without zone are wall-clock readings. */
function isInstant(type: Type): boolean {
  return type === 'timestamptz' || type === 'timestamptz_ns';
}

/** How far the wall clock in `timezone` is ahead of UTC at an instant, in ms. */
function offsetAt(instantMs: number, timezone: string): number {
  if (timezone === 'UTC' || instantMs < FIRST_ZONED_MS) return 0;
  const parts = formatterOf(timezone).formatToParts(instantMs);
  const part = (type: Intl.DateTimeFormatPartTypes) =>
    Number(parts.find((one) => one.type === type)?.value ?? 0);
  const shown = Date.UTC(
    part('year'),
    part('month') - 1,
    part('day'),
    part('hour'),
    part('minute'),
    part('second'),
  );
  return shown - Math.floor(instantMs / 1000) * 1000;
}

const formatters = new Map<string, Intl.DateTimeFormat>();

function formatterOf(timezone: string): Intl.DateTimeFormat {
  const known = formatters.get(timezone);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat('en-US-u-ca-iso8601-nu-latn', {
    timeZone: timezone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  formatters.set(timezone, made);
  return made;
}
