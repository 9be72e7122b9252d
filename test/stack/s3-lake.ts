import { systemClock } from '../../src/clock.ts';
import { S3Store } from '../../src/storage/s3.ts';
import type { S3Settings } from '../../src/storage/s3-settings.ts';
import { rowsOf } from '../small-flights.ts';
import type { S3Server } from './s3-server.ts';

/** The key `storage` of lake.yaml. */
export const storageYaml = ({ endpoint, accessKeyId, secretAccessKey }: S3Settings): string =>
  `{ endpoint: "${endpoint}", region: us-east-1, path_style: true, access_key_id: ${accessKeyId}, secret_access_key: ${secretAccessKey} }`;

/** Count and order-free digest of every table at every snapshot and ref. */
export async function allPoints(folder: string): Promise<string[]> {
  const points: string[] = [];
  for (const { table } of await rowsOf(folder, ['table', 'list'])) {
    const name = String(table);
    for (const row of await rowsOf(folder, ['table', 'history', name])) {
      if (row['operation'] === 'replace') continue;
      const query = `SELECT count(*) AS n, CAST(sum(CAST(hash(t) AS HUGEINT)) AS VARCHAR) AS digest FROM ${name} AS t`;
      const asOf = String(row['snapshot_id']);
      const [found] = await rowsOf(folder, ['sql', query, '--as-of', asOf]);
      points.push(`${name} ${asOf} ${found?.['n']} ${found?.['digest']}`);
    }
  }
  return points;
}

/** The locations of all objects below a prefix. */
export async function objectsOf(server: S3Server, prefix: string): Promise<string[]> {
  const store = new S3Store({ settings: server.settings, clock: systemClock });
  const names: string[] = [];
  for await (const page of store.list(prefix)) names.push(...page.map((head) => head.location));
  store.close();
  return names;
}
