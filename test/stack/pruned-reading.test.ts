import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { S3ServerName } from '../../stack/s3-binaries.ts';
import { lake } from '../cli/recorded-terminal.ts';
import { mustRun, rowsOf, smallFlights } from '../small-flights.ts';
import { type FaultyProxy, startFaultyProxy } from './faulty-proxy.ts';
import { canHaveServers, type S3Server, startS3Server } from './s3-server.ts';

const ONE_DAY = "flight_time >= TIMESTAMP '2001-03-05' AND flight_time < TIMESTAMP '2001-03-06'";
const SERVERS: readonly S3ServerName[] = ['minio', 'versitygw'];

/** The flights of every tenth row on S3, read without DuckDB's own S3 extension, and what the server sends for it. */
describe.skipIf(!canHaveServers()).each(SERVERS)('queries on %s', (name) => {
  let server: S3Server;
  let proxy: FaultyProxy;
  let folder: string;
  let remove: () => Promise<void>;

  beforeAll(async () => {
    server = await startS3Server(name);
    proxy = await startFaultyProxy(server.settings.endpoint);
    await server.makeBucket('lake');
    ({ folder, remove } = await smallFlights({ nth: 10 }));
    await configure('2GB');
    await mustRun(folder, ['run', '--select', '+silver.flights']);
  });
  afterAll(async () => {
    await remove?.();
    await proxy?.close();
    await server?.close();
  });

  async function configure(cacheSize: string): Promise<void> {
    const { accessKeyId, secretAccessKey } = server.settings;
    const storage = `{ endpoint: "${proxy.endpoint}", region: us-east-1, path_style: true, access_key_id: ${accessKeyId}, secret_access_key: ${secretAccessKey} }`;
    await writeFile(
      join(folder, 'lake.yaml'),
      `version: 1\nname: flights\nwarehouse: "s3://lake/ware house"\ncatalog: { embedded: ./.lake/catalog.db }\nstorage: ${storage}\nengine: { cache_size: ${cacheSize} }\n`,
    );
    await rm(join(folder, '.lake/cache'), { recursive: true, force: true });
  }

  /** A query's rows, and the bytes of data files of a table that the server sent for them. */
  async function ask(query: string, layer: string) {
    const before = proxy.answered.length;
    const rows = await rowsOf(folder, ['sql', query]);
    const data = proxy.answered
      .slice(before)
      .filter(
        ({ request }) =>
          request.startsWith('GET') && request.includes(`/${layer}/`) && request.includes('.parquet'),
      );
    return { rows, bytes: data.reduce((sum, { bytes }) => sum + bytes, 0) };
  }

  async function tableBytes(table: string): Promise<number> {
    const files = await rowsOf(folder, ['table', 'files', table]);
    return files.reduce((sum, file) => sum + Number(file['bytes']), 0);
  }

  it('fetches a small part of a table for a day of it, and the same answer', async () => {
    const total = await tableBytes('silver.flights');
    await configure('2GB');
    const whole = await ask(
      `SELECT count(*) FILTER (WHERE ${ONE_DAY}) AS n, sum(delay_minutes) FILTER (WHERE ${ONE_DAY}) AS late FROM silver.flights`,
      'silver',
    );
    expect(whole.bytes).toBeGreaterThan(total * 0.9);
    await configure('2GB');
    const day = await ask(
      `SELECT count(*) AS n, sum(delay_minutes) AS late FROM silver.flights WHERE ${ONE_DAY}`,
      'silver',
    );
    expect(day.rows).toEqual(whole.rows);
    expect(day.bytes).toBeLessThan(total / 50);
    expect(day.bytes).toBeGreaterThan(0);
  });

  it('fetches some row groups and columns of a large file', async () => {
    const total = await tableBytes('bronze.flights');
    expect(total).toBeGreaterThan(1 << 20);
    const columns = (await rowsOf(folder, ['table', 'schema', 'bronze.flights'])).map((row) =>
      String(row['column']),
    );
    expect(columns).toContain('delay');
    await configure('2GB');
    const all = await ask('SELECT * FROM bronze.flights', 'bronze');
    const late = all.rows.filter((row) => Number(row['delay']) > 300).length;
    expect(all.bytes).toBeGreaterThanOrEqual(total * 0.9);
    await configure('2GB');
    const one = await ask('SELECT count(*) AS n FROM bronze.flights WHERE delay > 300', 'bronze');
    expect(one.rows).toEqual([{ n: late }]);
    expect(one.bytes).toBeLessThan(total / 2);
  });

  it('answers from a table that is larger than the cache where the filter fits, and says what is needed where not', async () => {
    const total = await tableBytes('silver.flights');
    await configure('150KB');
    expect(total).toBeGreaterThan(150_000);
    const refused = await lake(folder, ['--output', 'json', 'sql', 'SELECT * FROM silver.flights']);
    expect(refused.code).toBe(1);
    const { error } = JSON.parse(refused.stdout || refused.stderr);
    expect(error).toMatchObject({ kind: 'unavailable', hint: expect.stringContaining('engine.cache_size') });
    expect(error.message).toContain(String(total));
    const days = ['2001-01-02', '2001-02-03', '2001-03-04', '2001-04-05'];
    for (const day of days) {
      const [row] = (
        await ask(`SELECT count(*) AS n FROM silver.flights WHERE flight_time::DATE = '${day}'`, 'silver')
      ).rows;
      expect(Number(row?.['n'])).toBeGreaterThan(500);
    }
  });
});
