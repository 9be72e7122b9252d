import { readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { openEmbeddedCatalog } from '../../src/catalog-client/embedded.ts';
import { openDuckDb } from '../../src/engine/duckdb.ts';
import { createTableView } from '../../src/engine/iceberg-view.ts';
import { LakeError } from '../../src/errors.ts';
import { parseJson, stringifyJson } from '../../src/iceberg/json.ts';
import { currentSnapshot } from '../../src/iceberg/table-metadata.ts';
import { localPath } from '../../src/storage/location.ts';
import { snapshotManifests } from '../../src/table/manifests.ts';
import { planScan, type TableScan } from '../../src/table/scan.ts';
import { openTable } from '../../src/table/table.ts';
import { type MovingLake, nameOf } from '../tiering/moving-lake.ts';
import {
  type BrokenInput,
  cuts,
  type Damaged,
  flips,
  type Luck,
  sample,
  smears,
  wrongEncodings,
  wrongTypes,
} from './broken-input.ts';

const utf8 = (content: string): Uint8Array => new TextEncoder().encode(content);

/** A table's stored files, damaged one at a time in their place, and what reading the table answers then. */
export class DamagedTable {
  readonly #lake: MovingLake;
  readonly #name: string;
  /** DuckDB knows a file again by its time: each damage gets a later one. */
  #time = 1_000_000_000;

  constructor(lake: MovingLake, name: string) {
    this.#lake = lake;
    this.#name = name;
  }

  /** What the table answers; `planned` sees the plan before the files are read. */
  async rows(): Promise<string> {
    const { catalog: _, ...lake } = this.#lake;
    const catalog = await openEmbeddedCatalog({
      database: join(lake.root, 'catalog.db'),
      warehouse: lake.config.tiers[0]?.location ?? '',
      tiers: lake.config.tiers,
      clock: lake.clock,
    });
    try {
      const table = await openTable({ ...lake, catalog }, nameOf(this.#name));
      return await this.#answer(await planScan(table));
    } finally {
      await catalog.close();
    }
  }

  async #answer(scan: TableScan): Promise<string> {
    const engine = await openDuckDb({ tempDirectory: join(this.#lake.root, 'spill'), threads: 1 });
    try {
      await createTableView(engine, '"damaged"', scan);
      return stringifyJson(await engine.all('SELECT * FROM "damaged" ORDER BY ALL'));
    } finally {
      await engine.close();
    }
  }

  /** Reads the table while the object at `location` holds other bytes. */
  async rowsWith(location: string, bytes: Uint8Array): Promise<string> {
    const path = localPath(location);
    const whole = await readFile(path);
    try {
      await this.#put(path, bytes);
      return await this.rows();
    } finally {
      await this.#put(path, whole);
    }
  }

  async #put(path: string, bytes: Uint8Array): Promise<void> {
    await writeFile(path, bytes);
    await utimes(path, ++this.#time, this.#time);
  }
}

/** Every stored file of a table, damaged: its metadata, manifest list, manifests, data files and delete files. */
export async function tableInputs(
  lake: MovingLake,
  name: string,
  luck: Luck,
): Promise<Record<string, BrokenInput[]>> {
  const damaged = new DamagedTable(lake, name);
  const table = await openTable(lake, nameOf(name));
  const metadataLocation = (await lake.catalog.loadTable(nameOf(name))).metadataLocation ?? '';
  const snapshot = currentSnapshot(table.metadata);
  if (snapshot === undefined) throw new LakeError('internal', 'the table has no snapshot');
  const manifests = await snapshotManifests(lake.objects, snapshot);
  const scan = await planScan(table);
  const right = await damaged.rows();
  const data = luck.pick(scan.tasks).dataFile.filePath;
  const deletes = luck.pick(scan.tasks.flatMap((task) => task.deletes)).dataFile.filePath;
  const input = (location: string, { name: how, bytes }: Damaged): BrokenInput => ({
    name: how,
    kinds: ['corrupt', 'unsupported'],
    names: location.slice(location.lastIndexOf('/') + 1),
    feed: () => damaged.rowsWith(location, bytes),
  });
  const read = async (location: string) => new Uint8Array(await readFile(localPath(location)));
  const manifestOf = (content: string) =>
    manifests.find((one) => one.content === content)?.manifestPath ?? '';
  const list = snapshot['manifest-list'];
  const foreign = await read(data);
  const avro = async (location: string) => {
    const bytes = await read(location);
    return [
      ...avroDamage(bytes, luck).map((one) => input(location, one)),
      ...[...flips(bytes, 16, luck), ...smears(bytes, 6, luck)].map((one) => ({
        ...input(location, one),
        // Neither Avro nor deflate has a checksum: a path may name another file then.
        kinds: ['corrupt', 'unsupported', 'not-found', 'unavailable'] as const,
        names: /./,
        mayBe: (answer: string | undefined) => answer === right,
      })),
      input(location, { name: 'a Parquet file', bytes: foreign }),
      input(location, { name: 'nothing', bytes: new Uint8Array() }),
    ];
  };
  const parquet = async (location: string, others: readonly string[]) => {
    const bytes = await read(location);
    const footer: readonly [number, number] = [bytes.length - 8 - footerLength(bytes), bytes.length];
    const lies = await Promise.all(
      others.map(async (other) => ({ name: `what ${other.slice(-10)} holds`, bytes: await read(other) })),
    );
    return [
      ...[...cuts(bytes, 12, luck), ...parquetDamage(bytes), ...lies].map((one) => input(location, one)),
      ...[...flips(bytes, 14, luck, footer), ...flips(bytes, 6, luck), ...smears(bytes, 4, luck)].map(
        (one) => ({
          ...input(location, one),
          // A damaged page shows while the table is read, and the engine does not say in which of its files.
          kinds: ['corrupt', 'unsupported', 'invalid-argument', 'unavailable'] as const,
          names: /./,
          mayBe: (answer: string | undefined) => rowCount(answer) === rowCount(right),
        }),
      ),
    ];
  };
  return {
    'table metadata': await metadataInputs(
      metadataLocation,
      (one) => input(metadataLocation, one),
      right,
      luck,
    ),
    'manifest list': await avro(list),
    'manifest of data files': await avro(manifestOf('data')),
    'manifest of delete files': await avro(manifestOf('deletes')),
    'data file': await parquet(data, [list]),
    'position delete file': await parquet(deletes, [data, list]),
  };
}

function rowCount(answer: string | undefined): number {
  const rows = answer === undefined ? null : parseJson(answer);
  return Array.isArray(rows) ? rows.length : -1;
}

const footerLength = (bytes: Uint8Array): number =>
  new DataView(bytes.buffer, bytes.byteOffset).getUint32(bytes.length - 8, true);

function parquetDamage(bytes: Uint8Array): Damaged[] {
  const withFooterLength = (length: number): Uint8Array => {
    const changed = bytes.slice();
    new DataView(changed.buffer).setUint32(bytes.length - 8, length, true);
    return changed;
  };
  return [
    { name: 'nothing', bytes: new Uint8Array() },
    { name: 'zeros', bytes: new Uint8Array(bytes.length) },
    { name: 'its end alone', bytes: bytes.slice(-8) },
    { name: 'a footer of 4 GB', bytes: withFooterLength(0xffffffff) },
    { name: 'a footer of 2 GB', bytes: withFooterLength(0x7fffffff) },
    { name: 'a footer of nothing', bytes: withFooterLength(0) },
    { name: 'text', bytes: utf8('id,ts\n1,2\n'.repeat(100)) },
  ];
}

/** A zigzag varint. */
function varint(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
  for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return [...bytes, Number(rest)];
}

/** What an Avro file can be made of so that a trusting reader asks for gigabytes or never ends. */
function avroDamage(bytes: Uint8Array, luck: Luck): Damaged[] {
  const text = Buffer.from(bytes).toString('latin1');
  const sync = bytes.slice(-16);
  const header = bytes.slice(0, text.indexOf(Buffer.from(sync).toString('latin1')) + 16);
  const withHeader = (from: string, to: string): Uint8Array =>
    new Uint8Array(Buffer.from(text.replace(from, to), 'latin1'));
  const block = (count: bigint, size: bigint, data: Uint8Array): Uint8Array =>
    new Uint8Array([...header, ...varint(count), ...varint(size), ...data, ...sync]);
  const packed = (data: readonly number[]): Uint8Array => {
    const deflated = deflateRawSync(new Uint8Array(data));
    return block(1n, BigInt(deflated.length), deflated);
  };
  const damaged = [
    ...cuts(bytes.slice(0, -1), 14, luck),
    { name: 'another codec', bytes: withHeader('deflate', 'bzip200') },
    { name: 'a codec that it is not in', bytes: withHeader('\x0edeflate', '\x0csnappy') },
    { name: 'no magic', bytes: withHeader('Obj\x01', 'Obj\x02') },
    { name: 'no schema', bytes: withHeader('avro.schema', 'avro.schemA') },
    { name: 'a schema that is no JSON', bytes: withHeader('"record"', '"record,') },
    { name: 'a schema of another type', bytes: withHeader('"record"', '"recodr"') },
    { name: 'a long that is text', bytes: withHeader('"long"', '"none"') },
    { name: 'a block of 2^62 records', bytes: block(2n ** 62n, 4n, new Uint8Array(4)) },
    { name: 'a block of 2^40 records', bytes: block(2n ** 40n, 2n, new Uint8Array([3, 0])) },
    { name: 'a block of 2^40 bytes', bytes: block(1n, 2n ** 40n, new Uint8Array(4)) },
    { name: 'a block of less than nothing', bytes: block(1n, -5n, new Uint8Array(4)) },
    {
      name: 'a header of 2^31 pairs',
      bytes: new Uint8Array([0x4f, 0x62, 0x6a, 1, ...varint(2n ** 31n), 2, 65]),
    },
    {
      name: 'a key of 2^33 bytes',
      bytes: new Uint8Array([0x4f, 0x62, 0x6a, 1, 2, ...varint(2n ** 33n), 65]),
    },
    ...[2n ** 31n - 5n, 2n ** 40n, 2n ** 62n, -(2n ** 31n)].map((count) => ({
      name: `a text or list of ${count}`,
      bytes: packed([2, ...varint(count), 1, 2, 3]),
    })),
    // Unions and nullable lists begin with 2; whatever comes first, a count of 2^31 follows it somewhere.
    ...[1, 2, 4, 8, 16, 32].map((zeros) => ({
      name: `a count of 2^31 after ${zeros} values`,
      bytes: packed(Array.from({ length: zeros * 6 }, (_, i) => [2, ...varint(2n ** 31n - 1n)][i % 6] ?? 0)),
    })),
    { name: 'a bomb of zeros', bytes: packed(new Array<number>(1_000_000).fill(0)) },
  ];
  return damaged;
}

async function metadataInputs(
  location: string,
  input: (damaged: Damaged) => BrokenInput,
  right: string,
  luck: Luck,
): Promise<BrokenInput[]> {
  const content = await readFile(localPath(location), 'utf8');
  const document = parseJson(content) as Record<string, unknown>;
  const wrong = wrongTypes(document).map(({ name, document: made }) => ({
    name,
    bytes: utf8(stringifyJson(made)),
  }));
  const changed = (name: string, part: object): Damaged => ({
    name,
    bytes: utf8(stringifyJson({ ...document, ...part })),
  });
  const bytes = utf8(content);
  return [
    ...sample(wrong, 60, luck).map((one) => ({
      ...input(one),
      // What reading needs not, such as a snapshot's summary, is not looked at.
      mayBe: (answer: string | undefined) => answer === right,
    })),
    ...[
      changed('format version 4', { 'format-version': 4 }),
      changed('format version 0', { 'format-version': 0 }),
      changed('format version of 2^70', { 'format-version': 2n ** 70n }),
      changed('a snapshot that is not there', { 'current-snapshot-id': 17n }),
      changed('a snapshot id of 2^70', { 'current-snapshot-id': 2n ** 70n }),
      changed('a schema that is not there', { 'current-schema-id': 77 }),
      changed('a spec that is not there', { 'default-spec-id': 77 }),
      changed('a sort order that is not there', { 'default-sort-order-id': 77 }),
      changed('no schemas', { schemas: [] }),
      changed('no snapshots', { snapshots: [] }),
      changed('no location', { location: undefined }),
      changed('a sequence number below the snapshots', { 'last-sequence-number': 0 }),
      { name: 'nothing', bytes: utf8('') },
      { name: '100,000 levels', bytes: utf8(`{"refs":${'['.repeat(100_000)}${']'.repeat(100_000)}}`) },
      { name: 'null', bytes: utf8('null') },
      ...cuts(bytes.slice(0, -1), 15, luck),
      ...wrongEncodings(stringifyJson(document, 2)),
    ].map(input),
    ...[...flips(bytes, 10, luck), ...smears(bytes, 6, luck)].map((one) => ({
      ...input(one),
      kinds: ['corrupt', 'unsupported', 'not-found', 'unavailable', 'invalid-argument', 'forbidden'] as const,
      names: /./,
      mayBe: () => true,
    })),
  ];
}
