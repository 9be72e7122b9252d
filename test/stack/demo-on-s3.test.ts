import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { S3ServerName } from '../../stack/s3-binaries.ts';
import { landCorrection, mustRun, rowsOf, smallFlights } from '../small-flights.ts';
import { allPoints, objectsOf, storageYaml } from './s3-lake.ts';
import { canHaveServers, type S3Server, startS3Server } from './s3-server.ts';

const TODAY = '2001-07-01';
const HOT = 's3://lake-hot/warehouse/hot';
const WARM = 's3://lake-warm/warm';
const COLD = 's3://lake-cold/archive/cold';

/** The story of `npm run demo` with fewer flights, its tiers in three buckets of one server. */
for (const name of ['minio', 'versitygw'] satisfies S3ServerName[]) {
  describe.skipIf(!canHaveServers())(`the demo on ${name}`, () => {
    let server: S3Server;
    let folder: string;
    let remove: () => Promise<void>;
    let before: string[];
    const tiersOf = async (table: string) => {
      const status = await rowsOf(folder, ['--now', TODAY, 'tier', 'status']);
      return new Set(status.filter((row) => row['table'] === table).map((row) => row['tier']));
    };

    beforeAll(async () => {
      server = await startS3Server(name);
      for (const bucket of ['lake-hot', 'lake-warm', 'lake-cold']) await server.makeBucket(bucket);
      ({ folder, remove } = await smallFlights({
        nth: 30,
        where: "date < '2001-01-04' OR date BETWEEN '2001-05-10' AND '2001-05-11' OR date > '2001-06-29'",
      }));
      await writeFile(join(folder, 'lake.yaml'), lakeYaml(server));
      const policies = join(folder, 'policies/flights.yaml');
      await writeFile(policies, (await readFile(policies, 'utf8')).replace('grace: 24h', 'grace: 0s'));
    });
    afterAll(async () => {
      await remove?.();
      await server?.close();
    });

    it('finds the stores fit', async () => {
      const findings = await rowsOf(folder, ['doctor']);
      expect(findings.filter((finding) => finding['status'] !== 'ok')).toEqual([]);
    });

    it('builds the lake, and makes history with a tag, a deletion and a correction', async () => {
      await mustRun(folder, ['run']);
      for (const table of ['silver.flights', 'gold.fct_flight'])
        await mustRun(folder, ['table', 'tag', table, 'reported']);
      const where = "origin = 'EWR' AND flight_time < TIMESTAMP '2001-02-01'";
      await mustRun(folder, ['table', 'delete', 'silver.flights', '--where', where]);
      await landCorrection(folder, '2001-07-01.csv', '2001-06-30');
      await mustRun(folder, ['run']);
      const points = await allPoints(folder);
      await mustRun(folder, ['run']);
      const isData = (point: string) => !point.startsWith('lake_system.');
      before = await allPoints(folder);
      expect(before.filter(isData), 'a run without news changes nothing').toEqual(points.filter(isData));
      const corrected = 'SELECT count(*) FILTER (WHERE is_corrected) AS n FROM silver.flights';
      expect(await rowsOf(folder, ['sql', corrected])).toEqual([{ n: 3 }]);
    });

    it('moves what a saved plan says, and every point in time answers as before with the hot copies gone', async () => {
      await mustRun(folder, ['--now', TODAY, 'tier', 'plan', '--out', 'moves.json']);
      const hot = await objectsOf(server, `${HOT}/silver/`);
      await mustRun(folder, ['tier', 'apply', 'moves.json']);
      const swept = await mustRun(folder, ['--yes', '--now', TODAY, '-o', 'json', 'tier', 'apply']);
      expect(JSON.parse(swept.stdout).ledger).toMatchObject({ waiting: 0, stillNamed: [] });
      expect(await tiersOf('silver.flights')).toEqual(new Set(['hot', 'warm', 'cold']));
      const left = new Set(await objectsOf(server, `${HOT}/silver/`));
      const old = hot.filter((location) => /2001-0[15].*\.parquet$/.test(location));
      expect(old.length).toBeGreaterThan(3);
      expect(old.filter((location) => left.has(location))).toEqual([]);
      expect((await objectsOf(server, `${WARM}/silver/`)).length).toBeGreaterThan(0);
      expect((await objectsOf(server, `${COLD}/silver/`)).length).toBeGreaterThan(0);
      expect(await allPoints(folder)).toEqual(before);
    });

    it('travels in time by tag', async () => {
      const count = 'SELECT count(*) AS n FROM silver.flights';
      const [now] = await rowsOf(folder, ['sql', count]);
      const [then] = await rowsOf(folder, ['sql', count, '--as-of', 'reported']);
      expect(Number(then?.['n'])).toBeGreaterThan(Number(now?.['n']));
    });

    it('restores cold days to hot, lets them go back, and undoes a move', async () => {
      const words = [
        'silver.flights',
        '--partitions',
        '2001-01-01..2001-01-03',
        '--to',
        'hot',
        '--for',
        '7d',
      ];
      await mustRun(folder, ['--yes', 'tier', 'restore', ...words]);
      expect(await tiersOf('silver.flights')).toEqual(new Set(['hot', 'warm']));
      expect(await allPoints(folder)).toEqual(before);
      const [last] = await rowsOf(folder, ['tier', 'history', 'gold.fct_flight', '--limit', '1']);
      await mustRun(folder, ['--yes', 'tier', 'undo', String(last?.['relocation_id'])]);
      expect(await tiersOf('gold.fct_flight')).toEqual(new Set(['hot']));
      expect(await allPoints(folder)).toEqual(before);
    });
  });
}

function lakeYaml({ settings }: S3Server): string {
  return `version: 1
name: flights
warehouse: "s3://lake-hot/warehouse"
catalog: { embedded: ./.lake/catalog.db }
storage: ${storageYaml(settings)}
tiers:
  hot: { location: "${HOT}" }
  warm: { location: "${WARM}", storage_class: STANDARD }
  cold: { location: "${COLD}" }
policies: ./policies
`;
}
