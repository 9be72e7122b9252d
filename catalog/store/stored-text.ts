import { LakeError } from '../../src/errors.ts';
import type { SqlValue } from './sql-database.ts';

/** PostgreSQL keeps no U+0000 in texts, UTF-8 no lone surrogates: refused in any database, so that one can become the other. */
export function requireStorable(values: readonly SqlValue[]): void {
  for (const value of values) {
    if (typeof value !== 'string' || (value.isWellFormed() && !value.includes('\0'))) continue;
    throw new LakeError('invalid-argument', 'A text holds U+0000 or half of a surrogate pair', {
      where: JSON.stringify(value.slice(0, 200)),
      hint: 'Nothing was applied: use another name or location.',
    });
  }
}
