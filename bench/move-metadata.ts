/**
 * The metadata part of a move between tiers (from verified copies to the swapped pointer) on tables of 10, 100 and 1,000 snapshots: how many objects it
 * writes and how long that takes, beside bare puts of as many objects of the same sizes by the same store in the same run.
 *
 *     node bench/move-metadata.ts [SNAPSHOTS…]      (default 10 100 1000)
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbeddedCatalog } from '../src/catalog-client/embedded.ts';
import { systemClock } from '../src/clock.ts';
import type { DataFile } from '../src/iceberg/manifest.ts';
import { LocalStore } from '../src/storage/local.ts';
import type { PutOptions } from '../src/storage/object-store.ts';
import { commitWithRetry } from '../src/table/commit.ts';
import { manifestEntries, snapshotManifests } from '../src/table/manifests.ts';
import { newChange } from '../src/table/snapshot-files.ts';
import { stageSnapshot } from '../src/table/stage-snapshot.ts';
import { relocateTable } from '../src/tiering/executor.ts';
import { tieringRun } from '../src/tiering/tiering-context.ts';
import { printFigures, rounded } from './figures.ts';

const PARTITIONS = 10;
const TABLE = { namespace: ['gold'], name: 'facts' };

/** Remembers what is put into it. */
class CountingStore extends LocalStore {
  readonly written: { readonly location: string; readonly bytes: Uint8Array }[] = [];

  override async put(location: string, bytes: Uint8Array, options?: PutOptions) {
    this.written.push({ location, bytes });
    return super.put(location, bytes, options);
  }
}

async function openLake(root: string) {
  const objects = new CountingStore();
  const tiers = ['hot', 'cold'].map((name) => ({ name, location: `file://${root}/${name}` }));
  const catalog = await openEmbeddedCatalog({
    database: join(root, 'catalog.db'),
    warehouse: `file://${root}/hot`,
    tiers,
    clock: systemClock,
    objects: new LocalStore(),
  });
  return { catalog, objects, clock: systemClock, config: { tiers, timezone: 'UTC', engine: {} } };
}

type BenchLake = Awaited<ReturnType<typeof openLake>>;

/** A table to which each snapshot added one file, to one partition after the other. Returns the files of the first half of the partitions. */
async function makeTable(lake: BenchLake, snapshots: number): Promise<DataFile[]> {
  await lake.catalog.createNamespace(TABLE.namespace);
  const { metadata } = await lake.catalog.createTable(TABLE.namespace, {
    name: TABLE.name,
    schema: {
      type: 'struct',
      'schema-id': 0,
      fields: [{ id: 1, name: 'p', required: false, type: 'int' }],
    },
    'partition-spec': {
      'spec-id': 0,
      fields: [{ 'source-id': 1, 'field-id': 1000, name: 'p', transform: 'identity' }],
    },
  });
  const moving: DataFile[] = [];
  let table: Awaited<ReturnType<typeof commitWithRetry>>['table'] | undefined;
  for (let at = 0; at < snapshots; at++) {
    const p = at % PARTITIONS;
    const filePath = `${metadata.location}/data/p=${p}/${String(at).padStart(5, '0')}.parquet`;
    await lake.objects.put(filePath, new TextEncoder().encode(`file ${at}`));
    const dataFile: DataFile = {
      content: 'data',
      filePath,
      fileFormat: 'PARQUET',
      partition: [p],
      recordCount: 1,
      fileSizeInBytes: `file ${at}`.length,
    };
    if (p < PARTITIONS / 2) moving.push(dataFile);
    const [ids, added] = [newChange(lake.clock), [{ dataFile, specId: 0 }]];
    const derive = (base: Parameters<typeof stageSnapshot>[0]) =>
      stageSnapshot(base, ids, { operation: 'append', added });
    ({ table } = await commitWithRetry(lake, TABLE, derive, table === undefined ? {} : { table }));
  }
  return moving;
}

/** What a move has to write: each manifest that lists a moved file once, and the list of each snapshot with such a manifest. */
async function expected(lake: BenchLake, moving: ReadonlySet<string>) {
  const { metadata } = await lake.catalog.loadTable(TABLE);
  const names = new Map<string, boolean>();
  let lists = 0;
  for (const snapshot of metadata.snapshots) {
    let isChanged = false;
    for (const manifest of await snapshotManifests(lake.objects, snapshot)) {
      const path = manifest.manifestPath;
      if (!names.has(path)) {
        const entries = await manifestEntries(lake.objects, manifest);
        names.set(
          path,
          entries.some(({ entry }) => moving.has(entry.dataFile.filePath)),
        );
      }
      isChanged ||= names.get(path) === true;
    }
    if (isChanged) lists++;
  }
  return { manifests: [...names.values()].filter(Boolean).length, lists };
}

async function compare(snapshots: number): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'lake-bench-move-'));
  const lake = await openLake(root);
  try {
    const moving = await makeTable(lake, snapshots);
    const paths = moving.map((file) => file.filePath);
    const wanted = await expected(lake, new Set(paths));
    let [began, ended, cpu] = [0, 0, process.cpuUsage()];
    const faults = {
      at: async (step: string): Promise<void> => {
        if (step === 'copied') {
          lake.objects.written.length = 0;
          [began, cpu] = [performance.now(), process.cpuUsage()];
        }
        if (step === 'swapped') [ended, cpu] = [performance.now(), process.cpuUsage(cpu)];
      },
    };
    const byPartition = Map.groupBy(moving, (file) => Number(file.partition[0]));
    const result = await relocateTable(tieringRun(lake, { faults }), {
      identifier: TABLE,
      graceMs: 3_600_000,
      reason: { command: 'apply', text: 'bench' },
      moves: [...byPartition].map(([p, files]) => ({
        table: 'gold.facts',
        partition: `p=${p}`,
        from: 'hot',
        to: 'cold',
        files: files.length,
        bytes: files.reduce((sum, file) => sum + file.fileSizeInBytes, 0),
        reason: 'bench',
        paths: files.map((file) => file.filePath),
      })),
    });
    if (result.state !== 'swapped' || result.files !== moving.length) throw new Error('the move failed');
    const written = [...lake.objects.written];
    // One list a changed snapshot; then one fence: a manifest of tombstones and its list.
    const objects = wanted.manifests + wanted.lists + 2;
    if (written.length !== objects) {
      throw new Error(`${written.length} objects written, ${objects} expected: ${JSON.stringify(wanted)}`);
    }
    if (new Set(written.map((one) => one.location)).size !== objects)
      throw new Error('one was written twice');
    const bareBegan = performance.now();
    for (const [at, { bytes }] of written.entries()) {
      await lake.objects.put(`file://${root}/bare/${at}.avro`, bytes, { if: 'absent' });
    }
    const bareMs = performance.now() - bareBegan;
    printFigures({
      bench: 'move-metadata',
      snapshots,
      moved_files: moving.length,
      manifests: wanted.manifests,
      manifest_lists: wanted.lists,
      fence_objects: 2,
      bytes: written.reduce((sum, one) => sum + one.bytes.length, 0),
      ms: rounded(ended - began, 0),
      cpu_ms: rounded((cpu.user + cpu.system) / 1000, 0),
      bare_puts_ms: rounded(bareMs, 0),
      ms_an_object: rounded((ended - began) / objects),
      times_bare_puts: rounded((ended - began) / bareMs),
      rss_mb: Math.round(process.resourceUsage().maxRSS / 1000),
    });
  } finally {
    await lake.catalog.close();
    await rm(root, { recursive: true, force: true });
  }
}

const sizes = process.argv.slice(2).map(Number);
for (const snapshots of sizes.length > 0 ? sizes : [10, 100, 1000]) await compare(snapshots);
