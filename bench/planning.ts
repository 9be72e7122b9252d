/**
 * Planning a scan of many data files beside PyIceberg's `plan_files`, both cold (a process of their own, its start not counted), on the same table:
 *
 *     LAKE_PYTHON=python3 node bench/planning.ts [ENTRIES] [ROUNDS]      (default 1000000 1)
 *
 * The table, made once by our own writer, stays in a folder below the system's temporary one.
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbeddedCatalog } from '../src/catalog-client/embedded.ts';
import { systemClock } from '../src/clock.ts';
import type { DataFile } from '../src/iceberg/manifest.ts';
import { parseTableMetadata } from '../src/iceberg/metadata-json.ts';
import { parsePredicate } from '../src/iceberg/predicate-sql.ts';
import { encodeValue } from '../src/iceberg/values.ts';
import { LocalStore } from '../src/storage/local.ts';
import { commitWithRetry } from '../src/table/commit.ts';
import type { LakeContext } from '../src/table/context.ts';
import { planMetadataScan } from '../src/table/scan.ts';
import { newChange } from '../src/table/snapshot-files.ts';
import { stageSnapshot } from '../src/table/stage-snapshot.ts';
import { openTable } from '../src/table/table.ts';
import { askNode, askPython, type Figures, measured, median, printFigures, rounded } from './figures.ts';

const TABLE = { namespace: ['bench'], name: 'planned' };
const MANIFESTS = 100;
const DAYS_PER_MANIFEST = 10;
const DAY_MICROS = 86_400_000_000n;
const MARK = { ratio: 10, seconds: 7 };

const PEER = `
import json, resource, sys, time
from pyiceberg.table import StaticTable
table = StaticTable.from_metadata(sys.argv[1])
scan = table.scan() if sys.argv[2] == '' else table.scan(row_filter=sys.argv[2])
began, cpu = time.perf_counter(), time.process_time()
count = sum(1 for _ in scan.plan_files())
print(json.dumps({'ms': (time.perf_counter() - began) * 1000, 'cpu_ms': (time.process_time() - cpu) * 1000,
  'count': count, 'rss_mb': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
`;

async function withLake<T>(folder: string, work: (lake: LakeContext) => Promise<T>): Promise<T> {
  const objects = new LocalStore();
  const catalog = await openEmbeddedCatalog({
    database: join(folder, 'catalog.db'),
    warehouse: `file://${folder}/warehouse`,
    clock: systemClock,
    objects,
  });
  try {
    return await work({ catalog, objects, clock: systemClock });
  } finally {
    await catalog.close();
  }
}

/** The data file number `at`: one day, with the metrics that a writer of five columns gives. */
function dataFile(location: string, at: number, day: number): DataFile {
  const micros = BigInt(day) * DAY_MICROS;
  const ids = [1, 2, 3, 4, 5];
  const bounds = (bump: number): Map<number, Uint8Array> =>
    new Map([
      [1, encodeValue('timestamp', micros + BigInt(bump))],
      [2, encodeValue('int', (at % 1000) + bump)],
      [3, encodeValue('int', (at % 3000) + bump)],
      [4, encodeValue('string', `A${at % 500}`)],
      [5, encodeValue('string', `Z${at % 500}`)],
    ]);
  return {
    content: 'data',
    filePath: `${location}/data/day=${day}/${String(at).padStart(8, '0')}-0d9b2b6e-7c1f-4f0e-8d57-3f1c8d2a9b10.parquet`,
    fileFormat: 'PARQUET',
    partition: [day],
    recordCount: 100_000,
    fileSizeInBytes: 4_000_000 + at,
    columnSizes: new Map(ids.map((id) => [id, 800_000 + at])),
    valueCounts: new Map(ids.map((id) => [id, 100_000])),
    nullValueCounts: new Map(ids.map((id) => [id, 0])),
    lowerBounds: bounds(0),
    upperBounds: bounds(9),
    splitOffsets: [4],
    sortOrderId: 0,
  };
}

/** Makes the table unless it is there. Returns where its metadata file lies. */
async function makeTable(folder: string, entries: number): Promise<string> {
  const whole = join(folder, 'whole');
  if (existsSync(whole)) return readFile(whole, 'utf8');
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await withLake(folder, async (lake) => {
    await lake.catalog.createNamespace(TABLE.namespace);
    const { metadata } = await lake.catalog.createTable(TABLE.namespace, {
      name: TABLE.name,
      schema: {
        type: 'struct',
        'schema-id': 0,
        fields: [
          { id: 1, name: 'date', required: false, type: 'timestamp' },
          { id: 2, name: 'delay', required: false, type: 'int' },
          { id: 3, name: 'distance', required: false, type: 'int' },
          { id: 4, name: 'origin', required: false, type: 'string' },
          { id: 5, name: 'destination', required: false, type: 'string' },
        ],
      },
      'partition-spec': {
        'spec-id': 0,
        fields: [{ 'source-id': 1, 'field-id': 1000, name: 'day', transform: 'day' }],
      },
      properties: { 'commit.manifest-merge.enabled': 'false' },
    });
    const each = Math.ceil(entries / MANIFESTS);
    for (let manifest = 0; manifest * each < entries; manifest++) {
      const first = manifest * each;
      const added = Array.from({ length: Math.min(each, entries - first) }, (_, at) => {
        const day = manifest * DAYS_PER_MANIFEST + Math.floor((at * DAYS_PER_MANIFEST) / each);
        return { dataFile: dataFile(metadata.location, first + at, day), specId: 0 };
      });
      const ids = newChange(systemClock);
      await commitWithRetry(lake, TABLE, (table) =>
        stageSnapshot(table, ids, { operation: 'append', added }),
      );
    }
    await writeFile(whole, (await openTable(lake, TABLE)).metadataLocation ?? '');
  });
  return readFile(whole, 'utf8');
}

const timeOf = (day: number): string => new Date(day * 86_400_000).toISOString().slice(0, 19);

/** The filters: ours as SQL, PyIceberg's in its own words. */
const CASES: Readonly<Record<string, { readonly ours: string; readonly peer: string }>> = {
  'all files': { ours: '', peer: '' },
  'one day': {
    ours: `date >= TIMESTAMP '${timeOf(500)}' AND date < TIMESTAMP '${timeOf(501)}'`,
    peer: `date >= '${timeOf(500)}' and date < '${timeOf(501)}'`,
  },
};

/** Plans once from a metadata file, as PyIceberg's static table does, in a process of its own. */
async function plan(metadataFile: string, where: string): Promise<void> {
  const options = where === '' ? {} : { filter: parsePredicate(where) };
  const objects = new LocalStore();
  const metadata = parseTableMetadata(new TextDecoder().decode(await objects.get(metadataFile)));
  const figures = await measured(
    async () => (await planMetadataScan('planned', metadata, objects, options)).tasks.length,
  );
  printFigures({ ...figures });
}

async function compare(entries: number, rounds: number): Promise<void> {
  const folder = join(tmpdir(), `lake-bench-planning-${entries}`);
  const metadata = await makeTable(folder, entries);
  for (const [name, filter] of Object.entries(CASES)) {
    const [ours, peer]: [Figures[], Figures[]] = [[], []];
    for (let round = 0; round < rounds; round++) {
      ours.push(await askNode<Figures>(import.meta.filename, ['plan', metadata, filter.ours]));
      peer.push(await askPython<Figures>(PEER, [metadata, filter.peer]));
    }
    const of = (all: readonly Figures[], key: keyof Figures): number => median(all.map((one) => one[key]));
    if (of(ours, 'count') !== of(peer, 'count')) {
      throw new Error(`${name}: ${of(ours, 'count')} files planned, PyIceberg plans ${of(peer, 'count')}`);
    }
    printFigures({
      bench: 'planning',
      case: name,
      entries,
      rounds,
      files: of(ours, 'count'),
      ours_s: rounded(of(ours, 'ms') / 1000),
      ours_cpu_s: rounded(of(ours, 'cpu_ms') / 1000),
      ours_rss_mb: of(ours, 'rss_mb'),
      pyiceberg_s: rounded(of(peer, 'ms') / 1000),
      pyiceberg_cpu_s: rounded(of(peer, 'cpu_ms') / 1000),
      pyiceberg_rss_mb: rounded(of(peer, 'rss_mb'), 0),
      ratio: rounded(of(peer, 'ms') / of(ours, 'ms')),
      cpu_ratio: rounded(of(peer, 'cpu_ms') / of(ours, 'cpu_ms')),
      mark: MARK,
    });
  }
}

const [first = '1000000', second = '1', third = ''] = process.argv.slice(2);
if (first === 'plan') await plan(second, third);
else await compare(Number(first), Number(second));
