import { quoteText } from '../engine/sql-text.ts';

/** A value of a YAML file as a SQL literal. */
export function literal(value: string | number | boolean): string {
  return typeof value === 'string' ? quoteText(value) : String(value);
}
