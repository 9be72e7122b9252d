import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lake } from '../cli/recorded-terminal.ts';
import { mustRun, rowsOf, smallFlights } from '../small-flights.ts';
import { startFaultyProxy } from './faulty-proxy.ts';
import { allPoints, objectsOf, storageYaml } from './s3-lake.ts';
import { canHaveServers, type S3Server, startS3Server } from './s3-server.ts';

const TODAY = '2001-07-01';

/** A lake whose hot and warm tiers lie in two buckets of one server and whose cold tier lies on another. */
describe.skipIf(!canHaveServers())('a lake on S3', () => {
  let main: S3Server;
  let other: S3Server;
  let folder: string;
  let remove: () => Promise<void>;

  beforeAll(async () => {
    main = await startS3Server('minio');
    other = await startS3Server('versitygw');
    await main.makeBucket('lake');
    await main.makeBucket('warm');
    await other.makeBucket('cold');
    ({ folder, remove } = await smallFlights({
      nth: 30,
      where: "date < '2001-01-05' OR date BETWEEN '2001-05-10' AND '2001-05-12' OR date > '2001-06-29'",
    }));
    await writeFile(join(folder, 'lake.yaml'), lakeYaml(main, other));
    const policies = join(folder, 'policies/flights.yaml');
    await writeFile(policies, (await readFile(policies, 'utf8')).replace('grace: 24h', 'grace: 0s'));
  });
  afterAll(async () => {
    await remove?.();
    await main?.close();
    await other?.close();
  });

  it('passes the doctor', async () => {
    const findings = await rowsOf(folder, ['doctor']);
    expect(findings.filter((finding) => finding['status'] !== 'ok')).toEqual([]);
  });

  it('tells which tier pretends, refuses its class or cannot be reached', async () => {
    const proxy = await startFaultyProxy(main.settings.endpoint);
    const good = await readFile(join(folder, 'lake.yaml'), 'utf8');
    try {
      proxy.fault = (request) => (request.headers['if-none-match'] === undefined ? null : 'ignore-condition');
      const bad = good
        .replace(main.settings.endpoint, proxy.endpoint)
        .replace('REDUCED_REDUNDANCY', 'GLACIER_IR')
        .replace('s3://cold', 's3://no-such-bucket');
      await writeFile(join(folder, 'lake.yaml'), bad);
      const done = await lake(folder, ['--output', 'json', 'doctor']);
      expect(done.code).toBe(1);
      const details = new Map(
        JSON.parse(done.stdout).map((row: Record<string, string>) => [row['check'], row['detail']]),
      );
      expect(details.get('storage: hot')).toMatch(/ignores If-None-Match/);
      expect(details.get('storage: cold')).toMatch(/NoSuchBucket.*Create the bucket/);
      proxy.fault = () => null;
      const again = await lake(folder, ['doctor']);
      expect(again.stdout).toMatch(/storage_class in lake\.yaml: this server does not have it/);
      expect(await objectsOf(main, 's3://lake/ware house/hot/.doctor')).toEqual([]);
    } finally {
      await writeFile(join(folder, 'lake.yaml'), good);
      await proxy.close();
    }
  });

  it('runs, moves between buckets and servers, and reads the same at every snapshot', async () => {
    await mustRun(folder, ['run']);
    await mustRun(folder, ['table', 'tag', 'silver.flights', 'reported']);
    await mustRun(folder, [
      '--yes',
      'table',
      'delete',
      'silver.flights',
      '--where',
      "origin = 'ATL' AND flight_time < TIMESTAMP '2001-02-01'",
    ]);
    const before = await allPoints(folder);
    expect(before.length).toBeGreaterThan(5);
    const hot = await objectsOf(main, 's3://lake/ware house/hot/silver/');
    await mustRun(folder, ['--yes', '--now', TODAY, 'tier', 'apply']);
    // The grace of 0 s is over at the next run.
    await mustRun(folder, ['--yes', '--now', TODAY, 'tier', 'apply']);
    expect(await allPoints(folder)).toEqual(before);
    await rm(join(folder, '.lake/cache'), { recursive: true, force: true });
    expect(await allPoints(folder)).toEqual(before);

    const status = await rowsOf(folder, ['--now', TODAY, 'tier', 'status']);
    const tiers = new Set(status.map((row) => row['tier']));
    expect(tiers).toEqual(new Set(['hot', 'warm', 'cold']));
    expect(await objectsOf(main, 's3://warm/a+b %41/silver/')).not.toEqual([]);
    expect(await objectsOf(other, 's3://cold/silver/')).not.toEqual([]);
    const left = new Set(await objectsOf(main, 's3://lake/ware house/hot/silver/'));
    const old = hot.filter((name) => name.endsWith('.parquet') && name.includes('2001-01'));
    expect(old.length).toBeGreaterThan(3);
    expect(old.filter((name) => left.has(name))).toEqual([]);
  });
});

function lakeYaml(main: S3Server, other: S3Server): string {
  return `version: 1
name: flights
warehouse: "s3://lake/ware house"
catalog: { embedded: ./.lake/catalog.db }
storage: ${storageYaml(main.settings)}
tiers:
  hot: { location: "{warehouse}/hot" }
  warm: { location: "s3://warm/a+b %41", storage_class: REDUCED_REDUNDANCY }
  cold: { location: "s3://cold", storage: ${storageYaml(other.settings)} }
policies: ./policies
`;
}
