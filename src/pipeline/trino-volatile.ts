import { sqlTokens } from '../engine/trino-tokens.ts';

/** Words of Trino's SQL whose value depends on more than the tables: time, chance, who asks. */
const VOLATILE = new Set([
  ...['now', 'current_date', 'current_time', 'current_timestamp', 'localtime', 'localtimestamp'],
  ...[
    'current_timezone',
    'current_user',
    'current_groups',
    'current_catalog',
    'current_schema',
    'current_path',
  ],
  ...['random', 'rand', 'secure_random', 'secure_rand', 'uuid', 'shuffle', 'tablesample', 'version'],
]);

/** True for Trino SQL whose result may be another one on the same tables. Functions may be called by quoted names; a column of such a name counts too, which costs a comparison and no more. */
export function isTrinoVolatile(sql: string): boolean {
  return sqlTokens(sql).some(
    ({ kind, text }) => (kind === 'word' || kind === 'quoted') && VOLATILE.has(text),
  );
}
