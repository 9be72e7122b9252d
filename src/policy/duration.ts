import { LakeError } from '../errors.ts';

/** A span of time: calendar months, and milliseconds (days and weeks are 24 h each). */
export interface Duration {
  readonly months: number;
  readonly ms: number;
}

const SECOND = 1000;
const DAY = 86_400 * SECOND;
const UNITS: Readonly<Record<string, Duration>> = {
  s: { months: 0, ms: SECOND },
  h: { months: 0, ms: 3600 * SECOND },
  d: { months: 0, ms: DAY },
  w: { months: 0, ms: 7 * DAY },
  mo: { months: 1, ms: 0 },
  y: { months: 12, ms: 0 },
};
const SHORT = /^(\d+)\s*([a-z]+)$/;
const ISO =
  /^P(?=.)(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?=.)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$/;
/** Beyond this a date in milliseconds leaves the range that a calendar can name. */
const MOST_MONTHS = 12 * 10_000;

/** What a duration may look like, for messages. */
export const DURATION_HINT = 'write a number with s, h, d, w, mo or y (30d, 6mo), or ISO 8601 (P30D, PT24H)';

/**
 * Reads `30d`, `6mo`, `24h` or ISO 8601 (`P6M`, `PT24H`). A bare `m` is refused: minutes or months?
 *
 * @throws LakeError `invalid-argument` for anything else
 */
export function parseDuration(text: string): Duration {
  const duration = parseShort(text) ?? parseIso(text);
  if (duration === null) {
    throw new LakeError('invalid-argument', `"${text}" is no duration`, { hint: durationHint(text) });
  }
  if (duration.months > MOST_MONTHS || duration.ms > MOST_MONTHS * 28 * DAY) {
    throw new LakeError('invalid-argument', `"${text}" is longer than 10,000 years`, { hint: DURATION_HINT });
  }
  return duration;
}

/** What to write instead of a text that is no duration. */
export function durationHint(text: string): string {
  return /\dm$/.test(text) ? 'write mo for months (6mo), or PT6M for minutes' : DURATION_HINT;
}

/** True if `parseDuration` takes the text. */
export function isDuration(text: string): boolean {
  try {
    parseDuration(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * The instant `duration` after `instantMs` (milliseconds since 1970, UTC). Months are calendar months; a day
 * that the month lacks becomes its last one (31 January + 1 mo = 28 February).
 */
export function addDuration(instantMs: number, duration: Duration): number {
  if (duration.months === 0) return instantMs + duration.ms;
  const start = new Date(instantMs);
  const month = start.getUTCMonth() + duration.months;
  const lastDay = new Date(Date.UTC(start.getUTCFullYear(), month + 1, 0)).getUTCDate();
  const midnight = Date.UTC(start.getUTCFullYear(), month, Math.min(start.getUTCDate(), lastDay));
  return midnight + (((instantMs % DAY) + DAY) % DAY) + duration.ms;
}

/** The length in milliseconds, a month taken as 30 days: for spans that start nowhere, as a grace. */
export function durationMs(duration: Duration): number {
  return duration.months * 30 * DAY + duration.ms;
}

function parseShort(text: string): Duration | null {
  const match = SHORT.exec(text.trim());
  const unit = match?.[2] === undefined ? undefined : UNITS[match[2]];
  if (match === null || unit === undefined) return null;
  const count = Number(match[1]);
  return { months: unit.months * count, ms: unit.ms * count };
}

function parseIso(text: string): Duration | null {
  const match = ISO.exec(text.trim());
  if (match === null) return null;
  const [years, months, weeks, days, hours, minutes, seconds] = match
    .slice(1)
    .map((part) => Number(part ?? 0));
  const ofDay = (hours ?? 0) * 3600 + (minutes ?? 0) * 60 + (seconds ?? 0);
  return {
    months: (years ?? 0) * 12 + (months ?? 0),
    ms: ((weeks ?? 0) * 7 + (days ?? 0)) * DAY + ofDay * SECOND,
  };
}
