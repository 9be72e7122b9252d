/**
 * The catalog beside Iceberg's reference server and Nessie, one after the other on the same MinIO, with the same clients: property
 * commits a second on own tables and on one table, and loads a second.
 *
 *     node bench/catalog.ts [SNAPSHOTS…]      (default 10 1000)
 *
 * `LAKE_BENCH_PEERS` names the peers (default `reference,nessie`), `LAKE_BENCH_SECONDS` is the time of each figure (5), `LAKE_BENCH_CLIENTS`
 * the numbers of clients (8,32), `LAKE_POSTGRES_URL` lets our catalog run on PostgreSQL too.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PutBucketPolicyCommand } from '@aws-sdk/client-s3';
import { DEFAULT_LIMITS, s3Client } from '../src/storage/s3-client.ts';
import { type S3Server, startS3Server } from '../test/stack/s3-server.ts';
import { COUNT_MARK, type Load, type LoadFigures } from './catalog-load.ts';
import { CATALOGS, type CatalogName, type CatalogProcess } from './catalog-peers.ts';
import { type BenchTables, makeTables } from './catalog-tables.ts';
import { askNode, printFigures, rounded } from './figures.ts';

const SECONDS = Number(process.env['LAKE_BENCH_SECONDS'] ?? 5);
const CLIENTS = (process.env['LAKE_BENCH_CLIENTS'] ?? '8,32').split(',').map(Number);
const LOADER = join(import.meta.dirname, 'catalog-load.ts');
const WORKS = ['own-tables', 'one-table', 'loads'] as const;

type Work = (typeof WORKS)[number];

/** What has to be reached: our figure by the peers'. */
const MARKS: readonly { readonly work: Work; readonly peer: CatalogName; readonly times: number }[] = [
  { work: 'own-tables', peer: 'nessie', times: 3 },
  { work: 'one-table', peer: 'reference', times: 5 },
  { work: 'loads', peer: 'reference', times: 2 },
  { work: 'loads', peer: 'nessie', times: 2 },
];

type Asked = Omit<Load, 'warmUpMs' | 'measuredMs' | 'pids'>;

const figures = new Map<string, LoadFigures>();
const keyOf = (catalog: string, work: string, snapshots: number, clients: number): string =>
  JSON.stringify([catalog, work, snapshots, clients]);

/** `pids`: of the catalog and of the object store. */
function generate(load: Asked, pids: readonly number[]): Promise<LoadFigures> {
  const times = { warmUpMs: SECONDS * 1600, measuredMs: SECONDS * 1000 };
  return askNode(LOADER, [JSON.stringify({ ...load, ...times, pids })]);
}

function loadOf(work: Work, tables: BenchTables, clients: number): Asked {
  const { origin } = tables;
  const some = tables.tables.slice(0, work === 'one-table' ? 1 : clients);
  if (work === 'loads')
    return { origin, method: 'GET', targets: some.map(({ path }) => ({ path })), clients };
  const targets = some.map(({ path, uuid }) => {
    const requirements = [{ type: 'assert-table-uuid', uuid }];
    const updates = [{ action: 'set-properties', updates: { 'bench.last': COUNT_MARK } }];
    return { path, body: JSON.stringify({ requirements, updates }) };
  });
  return { origin, method: 'POST', targets, clients };
}

async function measure(
  name: CatalogName,
  { tables, snapshots, pids }: { tables: BenchTables; snapshots: number; pids: readonly number[] },
): Promise<void> {
  for (const clients of CLIENTS) {
    for (const work of WORKS) {
      const done = await generate(loadOf(work, tables, clients), pids);
      figures.set(keyOf(name, work, snapshots, clients), done);
      print({ catalog: name, work, snapshots, clients }, done);
    }
  }
}

function print(what: Readonly<Record<string, unknown>>, done: LoadFigures): void {
  printFigures({
    bench: 'catalog',
    ...what,
    per_second: rounded(done.perSecond, 0),
    p50_ms: rounded(done.p50Ms, 1),
    p99_ms: rounded(done.p99Ms, 1),
    cpu_ms_an_answer: done.cpuMs.map((ms) => rounded(ms / Math.max(1, done.answers))),
    statuses: done.statuses,
    bytes: done.bytesAnAnswer,
    generator_cpu: rounded(done.generatorCpu),
  });
}

/** The store's own rate: puts of as many bytes as a metadata file of ours has, by the same clients, without credentials. */
async function measurePuts(s3: S3Server, bytes: number, snapshots: number): Promise<void> {
  const client = s3Client(s3.settings, DEFAULT_LIMITS);
  await s3.makeBucket(`puts-${snapshots}`);
  const Resource = `arn:aws:s3:::puts-${snapshots}/*`;
  const rule = { Effect: 'Allow', Principal: { AWS: ['*'] }, Action: ['s3:PutObject'], Resource };
  const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [rule] });
  await client.send(new PutBucketPolicyCommand({ Bucket: `puts-${snapshots}`, Policy }));
  client.destroy();
  for (const clients of CLIENTS) {
    const done = await generate(
      {
        origin: s3.settings.endpoint,
        method: 'PUT',
        targets: [
          { path: `/puts-${snapshots}/table/metadata/${COUNT_MARK}.metadata.json`, bodyBytes: bytes },
        ],
        contentType: 'application/octet-stream',
        clients,
      },
      [s3.pid],
    );
    figures.set(keyOf('minio', 'puts', snapshots, clients), done);
    print({ catalog: 'minio', work: 'puts', snapshots, clients }, done);
  }
}

function printRatios(names: readonly CatalogName[], sizes: readonly number[]): void {
  for (const name of names.filter((one) => one.startsWith('lakewarden'))) {
    for (const snapshots of sizes) for (const clients of CLIENTS) printRatio(name, snapshots, clients);
  }
}

function printRatio(name: CatalogName, snapshots: number, clients: number): void {
  const rate = (catalog: string, work: string): number =>
    figures.get(keyOf(catalog, work, snapshots, clients))?.perSecond ?? Number.NaN;
  for (const { work, peer, times } of MARKS) {
    const ratio = rate(name, work) / rate(peer, work);
    if (Number.isNaN(ratio)) continue;
    const what = { bench: 'catalog-ratio', catalog: name, work, snapshots, clients, peer };
    printFigures({ ...what, times: rounded(ratio), mark: times, met: ratio >= times });
  }
  for (const work of ['own-tables', 'one-table'] as const) {
    const part = rate(name, work) / rate('minio', 'puts');
    printFigures({
      bench: 'catalog-part-of-puts',
      catalog: name,
      work,
      snapshots,
      clients,
      part: rounded(part),
    });
  }
}

async function main(sizes: readonly number[]): Promise<void> {
  const names: CatalogName[] = ['lakewarden'];
  if (process.env['LAKE_POSTGRES_URL'] !== undefined) names.push('lakewarden-postgres');
  const peers = process.env['LAKE_BENCH_PEERS'] ?? 'reference,nessie';
  for (const peer of ['reference', 'nessie'] as const) if (peers.split(',').includes(peer)) names.push(peer);
  const folder = await mkdtemp(join(tmpdir(), 'lake-bench-catalog-'));
  const s3 = await startS3Server('minio');
  try {
    const bytes = new Map<number, number>();
    for (const name of names) {
      const own = await mkdtemp(join(folder, `${name}-`));
      await s3.makeBucket(name);
      const server: CatalogProcess = await CATALOGS[name]({ s3, bucket: name, folder: own });
      try {
        for (const snapshots of sizes) {
          const tables = await makeTables(server.uri, { tables: Math.max(...CLIENTS), snapshots });
          if (name === 'lakewarden') bytes.set(snapshots, tables.metadataBytes);
          await measure(name, { tables, snapshots, pids: [server.pid, s3.pid] });
        }
      } finally {
        await server.close();
      }
    }
    for (const snapshots of sizes) await measurePuts(s3, bytes.get(snapshots) ?? 0, snapshots);
  } finally {
    await s3.close();
    await rm(folder, { recursive: true, force: true });
  }
  printRatios(names, sizes);
}

const sizes = process.argv.slice(2).map(Number);
await main(sizes.length > 0 ? sizes : [10, 1000]);
