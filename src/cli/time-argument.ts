import { InvalidArgumentError } from 'commander';

const ISO = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$/;

/** A time on the command line as ms since 1970: ISO 8601, UTC where no zone is given. */
export function parseTime(text: string): number {
  const zoned = /Z|[+-]\d{2}:?\d{2}$/.test(text.slice(10));
  const ms = ISO.test(text)
    ? Date.parse(`${text.replace(' ', 'T')}${zoned ? '' : text.length === 10 ? 'T00:00Z' : 'Z'}`)
    : Number.NaN;
  if (Number.isNaN(ms))
    throw new InvalidArgumentError('Write a date or time such as 2001-07-01 or 2001-07-01T12:30:00Z.');
  return ms;
}
