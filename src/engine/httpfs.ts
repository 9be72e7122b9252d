import type { DuckDBConnection } from '@duckdb/node-api';
import type { S3Settings } from '../storage/s3-settings.ts';
import { quoteName, quoteText } from './sql-text.ts';

/** Locations below a prefix (no slash at its end) and the server that holds them. */
export interface S3Prefix {
  readonly prefix: string;
  readonly settings: S3Settings;
}

/** Names that httpfs passes on as they are; others (`%`, `+`, blanks, `?`) it may take for escapes, patterns or options. */
const PLAIN = /^s3:\/\/[\w./=:-]+$/;

/**
 * Lets DuckDB read S3 itself, row group by row group, by its httpfs extension, if that is installed for this version of DuckDB; nothing
 * is downloaded. Prefixes without keys of their own are left out: AWS's chain of credentials is the S3 client's.
 *
 * @returns whether DuckDB opens a location itself
 */
export async function loadHttpfs(
  connection: DuckDBConnection,
  prefixes: readonly S3Prefix[],
): Promise<(location: string) => boolean> {
  const withKeys = prefixes.filter(({ settings }) => settings.accessKeyId !== undefined);
  if (withKeys.length === 0 || !(await isLoaded(connection))) return () => false;
  for (const [i, one] of withKeys.entries()) await connection.run(secretSql(`lake_${i}`, one));
  const longestFirst = prefixes.toSorted((a, b) => b.prefix.length - a.prefix.length);
  return (location) => {
    const own = longestFirst.find(({ prefix }) => location.startsWith(`${prefix}/`));
    return own?.settings.accessKeyId !== undefined && PLAIN.test(location);
  };
}

async function isLoaded(connection: DuckDBConnection): Promise<boolean> {
  try {
    await connection.run('LOAD httpfs');
    return true;
  } catch {
    return false;
  }
}

/** The longest scope that holds a location decides, as the longest tier prefix does. */
function secretSql(name: string, { prefix, settings }: S3Prefix): string {
  const { endpoint, region = 'us-east-1', pathStyle, accessKeyId, secretAccessKey, sessionToken } = settings;
  const url = endpoint === undefined ? undefined : new URL(endpoint);
  const options = [
    'TYPE s3',
    `SCOPE ${quoteText(`${prefix}/`)}`,
    `REGION ${quoteText(region)}`,
    `KEY_ID ${quoteText(accessKeyId ?? '')}`,
    `SECRET ${quoteText(secretAccessKey ?? '')}`,
    ...(sessionToken === undefined ? [] : [`SESSION_TOKEN ${quoteText(sessionToken)}`]),
    ...(url === undefined
      ? []
      : [
          `ENDPOINT ${quoteText(url.host + url.pathname.replace(/\/$/, ''))}`,
          `USE_SSL ${url.protocol === 'https:'}`,
        ]),
    `URL_STYLE ${quoteText((pathStyle ?? url !== undefined) ? 'path' : 'vhost')}`,
  ];
  return `CREATE OR REPLACE SECRET ${quoteName(name)} (${options.join(', ')})`;
}
