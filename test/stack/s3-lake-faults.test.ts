import { readFile, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { lake, type Recorded } from '../cli/recorded-terminal.ts';
import { duckDb, mustRun, rowsOf, smallFlights } from '../small-flights.ts';
import { type FaultyProxy, first, startFaultyProxy } from './faulty-proxy.ts';
import { allPoints, objectsOf, storageYaml } from './s3-lake.ts';
import { canHaveServers, type S3Server, startS3Server } from './s3-server.ts';

const TODAY = '2001-07-01';
const HOT = 's3://lake/warehouse/hot';
const COUNT = 'SELECT count(*) AS n, sum(id) AS sum FROM raw.rows';

const isPut = (request: IncomingMessage) => request.method === 'PUT';
const isCopy = (request: IncomingMessage) => request.headers['x-amz-copy-source'] !== undefined;
const isPart = (request: IncomingMessage) => isPut(request) && /partNumber=/.test(request.url ?? '');
const isMetadata = (request: IncomingMessage) => isPut(request) && /\.metadata\.json/.test(request.url ?? '');

/** What befalls the `lake` command when its S3 server is disturbed: what it says, what state is left, and that the next run succeeds. */
describe.skipIf(!canHaveServers())('a lake on a disturbed S3', () => {
  let server: S3Server;
  let proxy: FaultyProxy;
  let folder: string;
  let remove: () => Promise<void>;
  let good: string;

  beforeAll(async () => {
    server = await startS3Server('minio');
    proxy = await startFaultyProxy(server.settings.endpoint);
    for (const bucket of ['lake', 'cold']) await server.makeBucket(bucket);
    ({ folder, remove } = await smallFlights({
      nth: 30,
      where: "date < '2001-01-03' OR date > '2001-06-29'",
    }));
    good = lakeYaml(storageYaml({ ...server.settings, endpoint: proxy.endpoint }));
    await writeFile(join(folder, 'lake.yaml'), good);
    const policies = join(folder, 'policies/flights.yaml');
    await writeFile(policies, (await readFile(policies, 'utf8')).replace('grace: 24h', 'grace: 0s'));
    await writeRows('few.parquet', 1000);
    // More than the 16 MiB of a part: it is uploaded in several.
    await writeRows('many.parquet', 2_500_000);
    await mustRun(folder, ['ingest', 'raw.rows', join(folder, 'few.parquet'), '--create']);
  });
  afterAll(async () => {
    await remove?.();
    await proxy?.close();
    await server?.close();
  });
  beforeEach(() => {
    proxy.fault = () => null;
  });

  const writeRows = (name: string, rows: number) =>
    duckDb(
      `COPY (SELECT i AS id, hash(i) / 1e6 AS x FROM range(${rows}) AS t(i)) TO '${join(folder, name)}' (FORMAT parquet)`,
    );
  const ingest = (name: string) => lake(folder, ['-o', 'json', 'ingest', 'raw.rows', join(folder, name)]);
  const errorOf = (done: Recorded) => JSON.parse(done.stdout).error;
  const history = () => rowsOf(folder, ['table', 'history', 'raw.rows']);
  const files = async () => (await objectsOf(server, HOT)).filter((name) => name.endsWith('.parquet'));

  /** A failed ingestion leaves the table as it was; undisturbed it succeeds. */
  async function expectFailure(
    disturb: () => void | Promise<void>,
    name: string,
    error: object,
  ): Promise<void> {
    const before = await history();
    const rows = await rowsOf(folder, ['sql', COUNT]);
    await disturb();
    const failed = await ingest(name);
    proxy.fault = () => null;
    await writeFile(join(folder, 'lake.yaml'), good);
    expect(errorOf(failed)).toMatchObject(error);
    expect(failed.code).toBe(1);
    expect(await history()).toEqual(before);
    expect(await rowsOf(folder, ['sql', COUNT])).toEqual(rows);
    expect(await ingest(name)).toMatchObject({ code: 0 });
    expect(await history()).toHaveLength(before.length + 1);
  }

  it('rides over a throttled and a breaking line, and commits once', async () => {
    const before = await history();
    for (const fault of ['slow-down', 'reset', 'lose-answer'] as const) {
      proxy.fault = first(2, fault, isPut);
      expect(await ingest('few.parquet'), fault).toMatchObject({ code: 0 });
    }
    expect(await history()).toHaveLength(before.length + 3);
  });

  it('commits once where the answer to the metadata file was lost', async () => {
    const before = await history();
    proxy.fault = first(1, 'lose-answer', isMetadata);
    expect(await ingest('few.parquet')).toMatchObject({ code: 0 });
    expect(await history()).toHaveLength(before.length + 1);
  });

  it('tries again after a request that is never answered', async () => {
    const before = await history();
    proxy.fault = first(1, 'hang', isPut);
    expect(await ingest('few.parquet')).toMatchObject({ code: 0 });
    expect(await history()).toHaveLength(before.length + 1);
  });

  it('gives up where the server stays too busy, and says so', async () => {
    const disturb = () => {
      proxy.fault = (request) => (isPut(request) ? 'slow-down' : null);
    };
    await expectFailure(disturb, 'few.parquet', {
      kind: 'unavailable',
      message: expect.stringContaining('SlowDown'),
      hint: expect.stringContaining('run the command again'),
    });
  });

  it('gives up where the line stays broken at the commit, and says so', async () => {
    const disturb = () => {
      proxy.fault = (request) => (isMetadata(request) ? 'reset' : null);
    };
    await expectFailure(disturb, 'few.parquet', {
      kind: 'unavailable',
      hint: expect.stringContaining('endpoint'),
    });
  });

  it('leaves no object of an upload that was torn between its parts', async () => {
    const before = await files();
    proxy.fault = (request) => (isPart(request) && /partNumber=2/.test(request.url ?? '') ? 'reset' : null);
    const failed = await ingest('many.parquet');
    expect(failed.code).toBe(1);
    expect(errorOf(failed)).toMatchObject({ kind: 'unavailable' });
    expect(await files()).toEqual(before);
    expect(proxy.seen.some((line) => /^DELETE .*uploadId=/.test(line))).toBe(true);
    proxy.fault = () => null;
    expect(await ingest('many.parquet')).toMatchObject({ code: 0 });
    const [row] = await rowsOf(folder, [
      'sql',
      'SELECT count(*) AS n, count(DISTINCT id) AS ids FROM raw.rows',
    ]);
    expect(row?.['ids']).toBe(2_500_000);
  });

  it.each([
    ['secret_access_key', 'lake-test-secret', 'wrong-secret'],
    ['access_key_id', 'access_key_id: lake-test,', 'access_key_id: nobody,'],
  ])('names a wrong %s, and writes nothing', async (_, right, wrong) => {
    const disturb = () => writeFile(join(folder, 'lake.yaml'), good.replace(right, wrong));
    await expectFailure(disturb, 'few.parquet', {
      kind: 'forbidden',
      hint: expect.stringContaining('access_key_id and secret_access_key'),
    });
  });

  it('refuses to work in a store that ignores conditions, before it writes', async () => {
    await writeFile(
      join(folder, 'lake.yaml'),
      good.replace('s3://cold/cold', 's3://lake/cold').replaceAll('s3://lake/', 's3://lake2/'),
    );
    await server.makeBucket('lake2');
    proxy.fault = (request) => (request.headers['if-none-match'] === undefined ? null : 'ignore-condition');
    const failed = await lake(folder, ['-o', 'json', 'run']);
    proxy.fault = () => null;
    await writeFile(join(folder, 'lake.yaml'), good);
    expect(failed.code).toBe(1);
    expect(errorOf(failed)).toMatchObject({
      kind: 'unsupported',
      message: expect.stringContaining('ignores If-None-Match'),
    });
    expect(await objectsOf(server, 's3://lake2/')).toEqual([]);
  });

  it('moves nothing into a storage class that the server lacks, or half of what it should, and goes on later', async () => {
    await mustRun(folder, ['run']);
    const before = await allPoints(folder);
    const apply = () => lake(folder, ['--yes', '--now', TODAY, '-o', 'json', 'tier', 'apply']);
    const tiers = async () =>
      (await rowsOf(folder, ['--now', TODAY, 'tier', 'status'])).map(({ table, partition, tier }) => ({
        table,
        partition,
        tier,
      }));
    const status = await tiers();

    await writeFile(
      join(folder, 'lake.yaml'),
      good.replace('s3://cold/cold"', 's3://cold/cold", storage_class: GLACIER_IR'),
    );
    const refused = await apply();
    expect(errorOf(refused)).toMatchObject({ hint: expect.stringContaining('storage_class') });
    expect(refused.code).toBe(2);
    await writeFile(join(folder, 'lake.yaml'), good);
    expect(await tiers()).toEqual(status);

    let copies = 0;
    proxy.fault = (request) =>
      isCopy(request) && request.url?.includes('/silver/') && ++copies > 1 ? 'slow-down' : null;
    const stopped = await apply();
    proxy.fault = () => null;
    expect(copies).toBeGreaterThan(1);
    expect(stopped.code).toBe(1);
    expect(errorOf(stopped)).toMatchObject({
      kind: 'unavailable',
      message: expect.stringContaining('SlowDown'),
    });
    // Each table's move is whole or has not happened.
    const silver = (rows: typeof status) => rows.filter(({ table }) => table === 'silver.flights');
    expect(silver(await tiers())).toEqual(silver(status));
    expect(await allPoints(folder)).toEqual(before);

    expect(await apply()).toMatchObject({ code: 0 });
    expect(await apply()).toMatchObject({ code: 0 });
    expect(new Set((await tiers()).map(({ tier }) => tier))).toEqual(new Set(['hot', 'cold']));
    expect(await allPoints(folder)).toEqual(before);
    // Of what the stopped move had copied nothing is left beside the copies of the one that succeeded.
    const cold = await objectsOf(server, 's3://cold/cold/silver/');
    expect(new Set(cold.map((name) => name.split('/')[6])).size).toBe(1);
  });
});

function lakeYaml(storage: string): string {
  return `version: 1
name: flights
warehouse: "s3://lake/warehouse"
catalog: { embedded: ./.lake/catalog.db }
storage: ${storage}
tiers:
  hot: { location: "${HOT}" }
  warm: { location: "s3://lake/warm" }
  cold: { location: "s3://cold/cold" }
policies: ./policies
`;
}
