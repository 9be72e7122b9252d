/**
 * Expiry and orphan listing of many files, beside bare deleting and listing of as many by the same store in the same run.
 *
 *   node --disable-warning=ExperimentalWarning bench/expiry.ts [FILES]      (default 100000)
 */
import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbeddedCatalog } from '../src/catalog-client/embedded.ts';
import { systemClock } from '../src/clock.ts';
import type { DataFile } from '../src/iceberg/manifest.ts';
import { expireTables } from '../src/maintenance/expire.ts';
import { removeOrphans } from '../src/maintenance/orphans.ts';
import { LocalStore } from '../src/storage/local.ts';
import { commitWithRetry } from '../src/table/commit.ts';
import { newChange } from '../src/table/snapshot-files.ts';
import { stageSnapshot } from '../src/table/stage-snapshot.ts';
import { measured, printFigures, rounded } from './figures.ts';

const FILES = Number(process.argv[2] ?? 100_000);
const FILES_PER_COMMIT = 10_000;
const FOLDERS = 100;
const DAY = 86_400_000;
const TABLE = { namespace: ['gold'], name: 'facts' };

const root = await mkdtemp(join(tmpdir(), 'lake-bench-expiry-'));
const clock = systemClock;
const objects = new LocalStore();
const location = `file://${root}/hot`;
const tiers = [{ name: 'hot', location }];
const catalog = await openEmbeddedCatalog({
  database: join(root, 'catalog.db'),
  warehouse: location,
  tiers,
  clock,
  objects,
});
const lake = { catalog, objects, clock, config: { tiers, timezone: 'UTC', engine: {} } };

/** The store's own times say how old a file is. */
async function madeLongAgo(path: string): Promise<void> {
  const then = new Date(systemClock.now() - 10 * DAY);
  await writeFile(path, 'x');
  await utimes(path, then, then);
}

/** Makes tiny files without the store's durability, which is not what is measured. */
async function makeFiles(folder: string, count: number): Promise<string[]> {
  const paths: string[] = [];
  for (let at = 0; at < FOLDERS; at++) await mkdir(join(folder, `d${at}`), { recursive: true });
  for (let at = 0; at < count; at++) {
    const path = join(folder, `d${at % FOLDERS}`, `part-${at}-${clock.uuid()}.parquet`);
    paths.push(path);
  }
  for (let at = 0; at < paths.length; at += 500) {
    await Promise.all(paths.slice(at, at + 500).map(madeLongAgo));
  }
  return paths.map((path) => `file://${path}`);
}

function dataFile(filePath: string): DataFile {
  return {
    content: 'data',
    filePath,
    fileFormat: 'PARQUET',
    partition: [],
    recordCount: 1,
    fileSizeInBytes: 1,
  };
}

async function commit(paths: readonly string[], removed: ReadonlySet<string>): Promise<void> {
  const added = paths.map((path) => ({ dataFile: dataFile(path), specId: 0 }));
  const operation = removed.size === 0 ? 'append' : 'overwrite';
  const ids = newChange(clock);
  await commitWithRetry(lake, TABLE, (table) => stageSnapshot(table, ids, { operation, added, removed }));
}

interface Figure {
  readonly what: string;
  readonly seconds: number;
  readonly cpuSeconds: number;
}

async function timed(what: string, work: () => Promise<number>): Promise<Figure> {
  const { ms, cpu_ms: cpuMs, count: files } = await measured(work);
  const seconds = ms / 1000;
  const rss = Math.round(process.memoryUsage().rss / 1e6);
  console.log(
    `${what.padEnd(34)} ${String(files).padStart(8)} files  ${seconds.toFixed(2).padStart(7)} s  ${Math.round(
      files / seconds,
    )
      .toLocaleString('en-US')
      .padStart(9)} files/s  rss ${rss} MB`,
  );
  return { what, seconds, cpuSeconds: cpuMs / 1000 };
}

async function countListed(prefix: string): Promise<number> {
  let count = 0;
  for await (const page of objects.list(prefix)) count += page.length;
  return count;
}

async function deleteBare(paths: readonly string[]): Promise<number> {
  for (let at = 0; at < paths.length; at += 1000) await objects.delete(paths.slice(at, at + 1000));
  return paths.length;
}

function ratio(what: string, ours: Figure, bare: Figure): void {
  printFigures({
    bench: 'expiry',
    case: what,
    files: FILES,
    ours_s: rounded(ours.seconds),
    ours_cpu_s: rounded(ours.cpuSeconds),
    bare_s: rounded(bare.seconds),
    bare_cpu_s: rounded(bare.cpuSeconds),
    times_the_bare_store: rounded(ours.seconds / bare.seconds),
    peak_rss_mb: Math.round(process.resourceUsage().maxRSS / 1000),
  });
}

try {
  await catalog.createNamespace(['gold']);
  await catalog.createTable(['gold'], {
    name: TABLE.name,
    schema: { type: 'struct', 'schema-id': 0, fields: [{ id: 1, name: 'a', required: false, type: 'int' }] },
  });
  const { metadata } = await catalog.loadTable(TABLE);
  const folder = `${metadata.location.slice('file://'.length)}/data`;
  const paths = await makeFiles(folder, FILES);
  for (let at = 0; at < paths.length; at += FILES_PER_COMMIT) {
    await commit(paths.slice(at, at + FILES_PER_COMMIT), new Set());
  }
  console.log(`${FILES} files in ${Math.ceil(FILES / FILES_PER_COMMIT)} commits`);

  const listed = await timed('bare listing', () => countListed(`${metadata.location}/`));
  const judged = await timed('lake orphans, nothing orphaned', async () => {
    const report = await removeOrphans(lake, { olderThanMs: () => 3 * DAY, droppedOlderThanMs: 3 * DAY });
    if (report.tables[0]?.files !== 0) throw new Error('a file that is named was judged an orphan');
    return report.tables[0].listed;
  });
  const leaks = await makeFiles(`${folder}/leaked`, FILES);
  const bareLeaks = await makeFiles(join(root, 'bare-leaks'), FILES);
  const bareBoth = await timed('bare listing and deleting', async () => {
    await countListed(`${metadata.location}/`);
    return deleteBare(bareLeaks);
  });
  const removed = await timed('lake orphans, as many leaked', async () => {
    const report = await removeOrphans(lake, { olderThanMs: () => 3 * DAY, droppedOlderThanMs: 3 * DAY });
    if (report.tables[0]?.files !== leaks.length)
      throw new Error(
        `only ${report.tables[0]?.files} of ${leaks.length} leaks went: ${JSON.stringify(report.refused)}`,
      );
    return leaks.length;
  });

  const kept = await makeFiles(`${folder}/kept`, 1);
  await commit(kept, new Set(paths));
  const bare = await makeFiles(join(root, 'bare'), FILES);
  const deleted = await timed('bare deleting', () => deleteBare(bare));
  const expired = await timed('lake expire', async () => {
    const rules = { minToKeep: 1, maxAgeMs: 1, maxRefAgeMs: Number.POSITIVE_INFINITY };
    const target = { table: await catalog.loadTable(TABLE), rules, policy: null };
    const report = await expireTables(lake, [target], clock.now() + DAY);
    const files = report.tables[0]?.files ?? 0;
    if (files < FILES || report.refused.length > 0) throw new Error(`only ${files} files went`);
    return files;
  });
  ratio('orphan listing', judged, listed);
  ratio('orphan removal', removed, bareBoth);
  ratio('expiry', expired, deleted);
} finally {
  await catalog.close();
  await rm(root, { recursive: true, force: true });
}
