import type { Clock } from '../clock.ts';

/** What `newRunId` makes, with the parts of its time; as text, for names that hold one. */
export const RUN_ID = '(\\d{4})(\\d\\d)(\\d\\d)t(\\d\\d)(\\d\\d)(\\d\\d)_[0-9a-f]{8}';

/** `20261121t143045_1a2b3c4d`: sorts by time, fits a branch's name. */
export function newRunId(clock: Clock): string {
  const time = new Date(clock.now()).toISOString().slice(0, 19).replaceAll(/[-:]/g, '').toLowerCase();
  return `${time}_${clock.uuid().slice(0, 8)}`;
}

/** When a run began, ms since 1970, by a name that holds its id; null for a name that `pattern`, made with `RUN_ID` as its first groups, does not fit. */
export function runStart(pattern: RegExp, name: string): number | null {
  const [found, ...parts] = pattern.exec(name) ?? [];
  if (found === undefined) return null;
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = parts.slice(0, 6).map(Number);
  return Date.UTC(year, month - 1, day, hour, minute, second);
}
