const BYTE_UNITS = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'];

/** Bytes for people, in powers of 1000: `482 B`, `1.3 MB`. */
export function bytesText(bytes: unknown): string {
  let amount = Number(bytes);
  let unit = 0;
  while (amount >= 999.5 && unit < BYTE_UNITS.length - 1) {
    amount /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || amount >= 99.95 ? 0 : 1;
  return `${amount.toFixed(digits)} ${BYTE_UNITS[unit]}`;
}

/** A count with thousands apart: `3,000,000`. */
export function countText(count: unknown): string {
  return Number(count).toLocaleString('en-US');
}

/** Milliseconds since 1970 as `2001-07-01 13:05:09Z`. */
export function timeText(ms: unknown): string {
  return new Date(Number(ms))
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, 'Z');
}
