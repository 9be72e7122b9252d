import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { TableIdentifier } from '../../src/catalog-client/catalog.ts';
import { openEmbeddedCatalog } from '../../src/catalog-client/embedded.ts';
import { type Clock, systemClock } from '../../src/clock.ts';
import type { DataFile } from '../../src/iceberg/manifest.ts';
import { serializeTableMetadata } from '../../src/iceberg/metadata-json.ts';
import { snapshotById, type TableMetadata } from '../../src/iceberg/table-metadata.ts';
import { MemoryStore } from '../../src/storage/memory.ts';
import { commitWithRetry } from '../../src/table/commit.ts';
import { liveEntries } from '../../src/table/manifests.ts';
import { newChange } from '../../src/table/snapshot-files.ts';
import { branchSnapshot, stageSnapshot } from '../../src/table/stage-snapshot.ts';
import { liveReferences } from '../../src/tiering/live-references.ts';
import { loadPolicies } from '../../src/tiering/policy-files.ts';
import type { TieredLake } from '../../src/tiering/tiering-context.ts';

export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;
const TIERS = ['hot', 'warm', 'cold'].map((name) => ({ name, location: `memory://lake/${name}` }));
export const FIRST_DAY = '2001-01-01';

/** A lake with its objects in memory on the real catalog, with a clock of its own. */
export interface MemoryLake extends TieredLake {
  pass(ms: number): void;
  /** Path of the catalog's database. */
  readonly database: string;
  close(): Promise<void>;
}

export async function openMemoryLake(): Promise<MemoryLake> {
  let now = systemClock.now();
  const pass = (ms: number) => {
    now += Math.ceil(ms);
  };
  const clock: Clock = { ...systemClock, now: () => ++now, sleep: async (ms) => pass(ms) };
  const objects = new MemoryStore(clock);
  const warehouse = TIERS[0]!.location;
  // The catalog reads by a connection of its own: a database in memory would be another one for it.
  const folder = await mkdtemp(join(tmpdir(), 'lake-memory-'));
  const database = join(folder, 'catalog.db');
  const catalog = await openEmbeddedCatalog({
    database,
    warehouse,
    tiers: TIERS,
    // As a catalog may have been told: the places of another project, and its own in another spelling.
    allowedLocations: ['memory://first/', 'memory:/lake/'],
    clock,
    objects,
  });
  await catalog.createNamespace(['gold']);
  const close = async () => {
    await catalog.close();
    await rm(folder, { recursive: true, force: true });
  };
  const config = { tiers: TIERS, timezone: 'UTC', engine: {} };
  return { database, catalog, objects, clock, config, pass, close };
}

/** A table of words, partitioned by day. */
export async function createWords(
  lake: MemoryLake,
  name: string,
  options: { readonly location?: string; readonly properties?: Readonly<Record<string, string>> } = {},
): Promise<TableIdentifier> {
  await lake.catalog.createTable(['gold'], {
    name,
    ...(options.location === undefined ? {} : { location: options.location }),
    schema: {
      type: 'struct',
      'schema-id': 0,
      fields: [{ id: 1, name: 'ts', required: false, type: 'timestamptz' }],
    },
    'partition-spec': {
      'spec-id': 0,
      fields: [{ 'source-id': 1, 'field-id': 1000, name: 'ts_day', transform: 'day' }],
    },
    properties: options.properties ?? {},
  });
  return { namespace: ['gold'], name };
}

/** A table at a location that the catalog would refuse, as tables may lie from before it checked that. */
export async function createWordsAt(
  lake: MemoryLake,
  name: string,
  location: string,
  properties: Readonly<Record<string, string>> = {},
): Promise<TableIdentifier> {
  const table = await createWords(lake, name);
  const file = `${location}/metadata/00000-before.metadata.json`;
  const text = serializeTableMetadata({ ...(await metadataOf(lake, table)), location, properties });
  await lake.objects.put(file, Buffer.from(text));
  const opened = new DatabaseSync(lake.database);
  opened.prepare('UPDATE tables SET metadata_location = ? WHERE name = ?').run(file, name);
  opened.close();
  return table;
}

/** Takes a table out of the catalog for good; its files stay, and nobody's they are. */
export async function forget(lake: MemoryLake, { name }: TableIdentifier): Promise<void> {
  await lake.catalog.extension('POST', `/v1/namespaces/gold/tables/${name}/unregister`);
}

export async function metadataOf(lake: MemoryLake, table: TableIdentifier): Promise<TableMetadata> {
  return (await lake.catalog.loadTable(table)).metadata;
}

/** A data file that holds one word, not committed. */
export async function writeWord(
  lake: MemoryLake,
  metadata: TableMetadata,
  word: string,
  day: string = FIRST_DAY,
): Promise<DataFile> {
  const filePath = `${metadata.location}/data/ts_day=${day}/${word}-${lake.clock.uuid()}.parquet`;
  await lake.objects.put(filePath, Buffer.from(word), { if: 'absent' });
  return {
    content: 'data',
    filePath,
    fileFormat: 'PARQUET',
    partition: [Date.parse(`${day}T00:00Z`) / DAY],
    recordCount: 1,
    fileSizeInBytes: word.length,
  };
}

export interface WordChange {
  readonly files: readonly DataFile[];
  readonly branch?: string;
  /** Whether a live file goes. */
  removes?(path: string, at: number): boolean;
}

/** Commits files as one snapshot; returns its id. */
export async function commitFiles(
  lake: MemoryLake,
  table: TableIdentifier,
  { files, branch = 'main', removes = () => false }: WordChange,
): Promise<bigint> {
  const ids = newChange(lake.clock);
  const added = files.map((dataFile) => ({ dataFile, specId: 0 }));
  await commitWithRetry(lake, table, async (current) => {
    const parent = branchSnapshot(current.metadata, branch);
    const live: string[] = [];
    if (parent !== undefined) {
      for await (const { entry } of liveEntries(lake.objects, parent, 'data'))
        live.push(entry.dataFile.filePath);
    }
    const removed = new Set(live.filter(removes));
    const operation = removed.size === 0 ? 'append' : 'overwrite';
    return stageSnapshot(current, ids, { branch, operation, added, removed });
  });
  return ids.snapshotId;
}

/** Appends one file with a word. */
export async function appendWord(lake: MemoryLake, table: TableIdentifier, word: string): Promise<bigint> {
  return commitFiles(lake, table, { files: [await writeWord(lake, await metadataOf(lake, table), word)] });
}

/** Replaces all files by one. */
export async function replaceWith(lake: MemoryLake, table: TableIdentifier, word: string): Promise<bigint> {
  const files = [await writeWord(lake, await metadataOf(lake, table), word)];
  return commitFiles(lake, table, { files, removes: () => true });
}

/** The words that a snapshot reads, sorted. Fails if one of its files is gone. */
export async function wordsOf(lake: MemoryLake, metadata: TableMetadata, id: bigint): Promise<string[]> {
  const words: string[] = [];
  for await (const { entry } of liveEntries(lake.objects, snapshotById(metadata, id)!, 'data')) {
    words.push(Buffer.from(await lake.objects.get(entry.dataFile.filePath)).toString());
  }
  return words.sort();
}

/** The words of every snapshot of a table, by id. */
export async function everyWord(lake: MemoryLake, table: TableIdentifier): Promise<Record<string, string[]>> {
  const metadata = await metadataOf(lake, table);
  const seen: Record<string, string[]> = {};
  for (const { 'snapshot-id': id } of metadata.snapshots)
    seen[String(id)] = await wordsOf(lake, metadata, id);
  return seen;
}

export async function allObjects(lake: MemoryLake): Promise<string[]> {
  const there: string[] = [];
  for await (const page of lake.objects.list('memory://')) there.push(...page.map((one) => one.location));
  return there;
}

/** Objects that no table names (the metadata logs count as named by nobody) and no grace keeps. */
export async function unreferenced(lake: MemoryLake): Promise<string[]> {
  const there = await allObjects(lake);
  const { named } = await liveReferences(lake, there);
  const ledger = await lake.catalog.extension<{ entries: { location: string }[] }>('GET', '/lake/v1/ledger');
  const inGrace = new Set(ledger.entries.map((one) => one.location));
  return there.filter((location) => !named.has(location) && !inGrace.has(location));
}

/** Policies that move every table of gold by the age of its days. */
export function movingPolicies() {
  const text = `version: 1
policies:
  - { name: facts, match: { layer: gold }, grace: 1h, age: { from: partition },
      transitions: [ { to: warm, after: 30d }, { to: cold, after: 60d } ] }
`;
  const loaded = loadPolicies([{ file: 'p.yaml', text }], ['hot', 'warm', 'cold']);
  if ('problems' in loaded) throw new Error('the policy was refused');
  return loaded.set;
}
