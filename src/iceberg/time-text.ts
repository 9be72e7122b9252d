/** Dates and times as ISO 8601 text, over the whole range of Iceberg's types (years beyond 0 to 9999 too). */

export const MICROS_PER_SECOND = 1_000_000n;
export const MICROS_PER_HOUR = 3_600n * MICROS_PER_SECOND;
export const MICROS_PER_DAY = 24n * MICROS_PER_HOUR;

/** Days of 400 Gregorian years, after which the calendar repeats. */
const DAYS_PER_ERA = 146_097;
const MS_PER_DAY = 86_400_000;

/** Division of integers that rounds towards minus infinity. */
export function floorDiv(dividend: bigint, divisor: bigint): bigint {
  const quotient = dividend / divisor;
  return dividend % divisor < 0n ? quotient - 1n : quotient;
}

/** Year, month (1 to 12) and day of a number of days since 1970-01-01 in the proleptic Gregorian calendar. */
export function civilFromDays(days: number): { year: number; month: number; day: number } {
  // Date covers 270,000 years only, so the days are moved into the first era from 1970 and the years back.
  const era = Math.floor(days / DAYS_PER_ERA);
  const date = new Date((days - era * DAYS_PER_ERA) * MS_PER_DAY);
  return { year: date.getUTCFullYear() + era * 400, month: date.getUTCMonth() + 1, day: date.getUTCDate() };
}

/** Days since 1970-01-01 of a date; months beyond 1 to 12 carry into the year. */
export function daysFromCivil(year: number, month: number, day: number): number {
  const era = Math.floor((year - 1970) / 400);
  return Date.UTC(year - era * 400, month - 1, day) / MS_PER_DAY + era * DAYS_PER_ERA;
}

/** `2001-01-05`; years beyond 0 to 9999 carry a sign as in ISO 8601. */
export function formatDate(days: number): string {
  const { year, month, day } = civilFromDays(days);
  return `${formatYear(year)}-${pad(month, 2)}-${pad(day, 2)}`;
}

/** A year with at least four digits, signed beyond 0 to 9999. */
export function formatYear(year: number): string {
  if (year > 9999) return `+${year}`;
  return year < 0 ? `-${pad(-year, 4)}` : pad(year, 4);
}

/** `22:31:08`, with six digits of a second more where it has a fraction. */
export function formatTime(micros: bigint): string {
  return formatTimeOfDay(micros, 6);
}

/**
 * `2001-01-05T22:31:08`, with the fraction of a second in `digits` digits where there is one.
 *
 * @param ticks since 1970-01-01T00:00:00: microseconds if `digits` is 6, nanoseconds if it is 9.
 */
export function formatTimestamp(ticks: bigint, digits: 6 | 9): string {
  const perDay = 86_400n * 10n ** BigInt(digits);
  const days = floorDiv(ticks, perDay);
  return `${formatDate(Number(days))}T${formatTimeOfDay(ticks - days * perDay, digits)}`;
}

/** Days since 1970-01-01 of `2001-01-05`; null if the text is no date. */
export function parseDate(text: string): number | null {
  const match = /^([+-]?\d{4,7})-(\d\d)-(\d\d)$/.exec(text);
  if (!match) return null;
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])];
  const days = daysFromCivil(year, month, day);
  const back = civilFromDays(days);
  return back.year === year && back.month === month && back.day === day ? days : null;
}

/** Ticks since midnight of `22:31[:08[.123456]]`; null if the text is no time or has more than `digits` digits. */
export function parseTime(text: string, digits: 6 | 9): bigint | null {
  const match = /^(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?$/.exec(text);
  if (!match) return null;
  const [hour, minute, second] = [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)];
  if (hour > 23 || minute > 59 || second > 59) return null;
  const fraction = (match[4] ?? '').padEnd(9, '0');
  if (/[1-9]/.test(fraction.slice(digits))) return null;
  const seconds = BigInt(hour * 3600 + minute * 60 + second);
  return seconds * 10n ** BigInt(digits) + BigInt(fraction.slice(0, digits));
}

/** A timestamp's text in ticks since 1970-01-01T00:00:00 as if at UTC, with its offset apart. */
export interface ParsedTimestamp {
  readonly ticks: bigint;
  /** Minutes east of UTC; null if the text names no zone. */
  readonly offsetMinutes: number | null;
  /** False for a date alone, which stands for its midnight. */
  readonly hasTime: boolean;
}

/** Parses `2001-01-05[(T| )22:31[:08[.123456]][Z|+01:00]]`; null if the text is no timestamp. */
export function parseTimestamp(text: string, digits: 6 | 9): ParsedTimestamp | null {
  const match = /^([+-]?\d+-\d\d-\d\d)(?:[T ]([\d:.]+?) ?(Z|[+-]\d\d(?::?\d\d)?)?)?$/.exec(text);
  const days = match ? parseDate(match[1] ?? '') : null;
  if (!match || days === null) return null;
  const time = match[2] === undefined ? 0n : parseTime(match[2], digits);
  const offsetMinutes = match[3] === undefined ? null : parseOffset(match[3]);
  if (time === null || Number.isNaN(offsetMinutes)) return null;
  const ticks = BigInt(days) * 86_400n * 10n ** BigInt(digits) + time;
  return { ticks, offsetMinutes, hasTime: match[2] !== undefined };
}

function parseOffset(text: string): number {
  if (text === 'Z') return 0;
  const hours = Number(text.slice(1, 3));
  const minutes = Number(text.slice(3).replace(':', '') || 0);
  if (hours > 18 || minutes > 59) return Number.NaN;
  return (text.startsWith('-') ? -1 : 1) * (hours * 60 + minutes);
}

function formatTimeOfDay(ticks: bigint, digits: 6 | 9): string {
  const perSecond = 10n ** BigInt(digits);
  const seconds = Number(ticks / perSecond);
  const fraction = ticks % perSecond;
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const text = parts.map((part) => pad(part, 2)).join(':');
  return fraction === 0n ? text : `${text}.${fraction.toString().padStart(digits, '0')}`;
}

function pad(value: number, width: number): string {
  return value.toString().padStart(width, '0');
}
