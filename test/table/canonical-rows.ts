const number = (text: string): string =>
  text.includes('.') && !/e/i.test(text) ? text.replace(/\.?0+$/, '') : text;

function canonical(value: unknown, source?: string): unknown {
  if (typeof value === 'number') return number(source ?? String(value));
  if (typeof value !== 'string') return value;
  if (/^-?\d+(\.\d+)?$/.test(value)) return number(value);
  return value.replace(/^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\.?(\d*?)0*(Z?)$/, '$1.$2$3');
}

const reviver = (_key: string, value: unknown, context?: { source?: string }): unknown =>
  canonical(value, context?.source);

/** Rows in one spelling: numbers as their exact text, fractions without trailing zeros, sorted. */
export function canonicalRows(rows: readonly (string | object)[]): string[] {
  return rows
    .map((row) => JSON.stringify(JSON.parse(typeof row === 'string' ? row : JSON.stringify(row), reviver)))
    .sort();
}
