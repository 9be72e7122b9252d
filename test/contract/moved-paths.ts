import { inflateRawSync, zstdCompressSync } from 'node:zlib';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../src/clock.ts';
import { DELETE_FILE_PATH_ID } from '../../src/iceberg/position-delete.ts';
import type { TableUpdate } from '../../src/iceberg/updates.ts';
import { type CatalogUnderTest, fileAt, SCHEMA } from '../catalog/lake.ts';
import {
  addSnapshot,
  commit,
  ID,
  type MovedTable,
  movedTable,
  NEW,
  type NewManifest,
  OLD,
  putManifest,
  putSnapshot,
  setBranch,
  T,
} from '../catalog/moved-table.ts';

/** What a catalog refuses of a table whose files moved, whatever keeps its ledger. */
export function movedPathsContract(name: string, open: (clock: Clock) => Promise<CatalogUnderTest>): void {
  describe(`movedPaths: ${name}`, () => {
    let under: CatalogUnderTest;
    let table: MovedTable;
    beforeEach(async () => {
      under = await open(systemClock);
      table = await movedTable(under);
    });
    afterEach(() => under.dispose());

    const NAMES_MOVED = { kind: 'conflict', message: expect.stringContaining('has moved to another tier') };
    let nextId = 100n;

    /** Commits a snapshot on the fence that lists the moved table's manifests and one more. */
    async function commitWith(
      manifest: Omit<NewManifest, 'name' | 'sequenceNumber'>,
      recode: (bytes: Uint8Array) => Uint8Array = (bytes) => bytes,
    ) {
      const current = await under.catalog.loadTable(T);
      const sequenceNumber = current.metadata['last-sequence-number'] + 1;
      const id = nextId++;
      const snapshotId = manifest.snapshotId === 0n ? id : manifest.snapshotId;
      const made = { ...manifest, snapshotId, name: `m-${id}`, sequenceNumber };
      const written = await putManifest(under.objects, current, made);
      const bytes = recode(await under.objects.get(written.manifestPath));
      await under.objects.put(written.manifestPath, bytes);
      const added = { ...written, manifestLength: bytes.length };
      const parent = current.metadata['current-snapshot-id'];
      const manifests = [table.moved.p, table.moved.h, added];
      const snapshot = await putSnapshot(under.objects, current, { id, parent, sequenceNumber, manifests });
      return commit(under.catalog, [addSnapshot(snapshot), setBranch('main', id)]);
    }

    it('finds old paths in a manifest carried over from a snapshot that has expired', async () => {
      const expired = { snapshotId: 99n, status: 'existing' } as const;
      await expect(commitWith({ ...expired, files: [fileAt(OLD.p)] })).rejects.toMatchObject(NAMES_MOVED);
      await commitWith({ ...expired, files: [fileAt('file:///lake/n/t/hot/other.parquet')] });
    });

    it('refuses a deletion of an old path, which would leave the moved rows in the table', async () => {
      const deletes = { snapshotId: 0n, status: 'deleted', files: [fileAt(OLD.p)] } as const;
      await expect(commitWith(deletes)).rejects.toMatchObject(NAMES_MOVED);
      await commitWith({ ...deletes, files: [fileAt(NEW.p)] });
      const current = await under.catalog.loadTable(T);
      const sequenceNumber = current.metadata['last-sequence-number'] + 1;
      const id = nextId++;
      const put = (name: string, files: NewManifest['files'], status: 'added' | 'deleted') =>
        putManifest(under.objects, current, { name, snapshotId: id, sequenceNumber, files, status });
      const manifests = [
        await put('rewritten', [fileAt('file:///lake/n/t/hot/compacted.parquet')], 'added'),
        await put('gone', [fileAt(OLD.p)], 'deleted'),
      ];
      const parent = current.metadata['current-snapshot-id'];
      const snapshot = await putSnapshot(under.objects, current, { id, parent, sequenceNumber, manifests });
      const updates = [addSnapshot(snapshot), setBranch('main', id)];
      await expect(commit(under.catalog, updates)).rejects.toMatchObject(NAMES_MOVED);
    });

    it('checks a table that is created anew under the uuid of a moved one', async () => {
      await under.catalog.dropTable(T);
      const { metadata } = table.before;
      const listed = { snapshotId: 77n, sequenceNumber: 1, name: 'again', files: [fileAt(OLD.p)] };
      const manifests = [await putManifest(under.objects, table.before, listed)];
      const staged = await putSnapshot(under.objects, table.before, {
        id: 77n,
        sequenceNumber: 1,
        manifests,
      });
      const create: TableUpdate[] = [
        { action: 'assign-uuid', uuid: metadata['table-uuid'] },
        { action: 'add-schema', schema: SCHEMA, 'last-column-id': 2 },
        { action: 'set-current-schema', 'schema-id': -1 },
        { action: 'add-spec', spec: { 'spec-id': 0, fields: [] } },
        { action: 'set-default-spec', 'spec-id': -1 },
        { action: 'add-sort-order', 'sort-order': { 'order-id': 0, fields: [] } },
        { action: 'set-default-sort-order', 'sort-order-id': -1 },
        { action: 'set-location', location: metadata.location },
        addSnapshot(staged),
      ];
      const change = { identifier: T, requirements: [{ type: 'assert-create' }], updates: create } as const;
      await expect(under.catalog.commitTable(change)).rejects.toMatchObject(NAMES_MOVED);
      await expect(under.catalog.commitTransaction([change])).rejects.toMatchObject(NAMES_MOVED);
      expect(await under.catalog.tableExists(T)).toBe(false);
    });

    it('says which file is missing when a manifest or its list was never written', async () => {
      const id = nextId++;
      const current = table.after;
      const made = {
        id,
        parent: ID.fence,
        sequenceNumber: 4,
        manifests: [{ ...table.moved.p, manifestPath: 'file:///none.avro' }],
      };
      const snapshot = await putSnapshot(under.objects, current, made);
      await expect(commit(under.catalog, [addSnapshot(snapshot)])).rejects.toMatchObject({
        kind: 'invalid-argument',
        where: 'file:///none.avro',
      });
      const listless = { ...snapshot, 'manifest-list': 'file:///none-list.avro' };
      await expect(commit(under.catalog, [addSnapshot(listless)])).rejects.toMatchObject({
        kind: 'invalid-argument',
        where: 'file:///none-list.avro',
      });
    });

    it('reads the paths in a position delete file that has no bounds', async () => {
      const put = async (name: string, paths: readonly string[]) => {
        const location = `${table.before.metadata.location}/data/${name}.parquet`;
        const bytes = parquetWriteBuffer({
          columnData: [
            { name: 'file_path', data: [...paths], type: 'STRING' },
            { name: 'pos', data: paths.map((_, at) => BigInt(at)), type: 'INT64' },
          ],
        });
        await under.objects.put(location, new Uint8Array(bytes));
        return fileAt(location, { content: 'position-deletes' });
      };
      const many = Array.from({ length: 500 }, (_, at) => `file:///lake/n/t/hot/other-${at}.parquet`);
      const stale = await put('stale', [...many, OLD.h, ...many]);
      await expect(commitWith({ snapshotId: 0n, files: [stale] })).rejects.toMatchObject(NAMES_MOVED);
      await commitWith({ snapshotId: 0n, files: [await put('fresh', [...many, NEW.h])] });
      const bound = (text: string) => new Map([[DELETE_FILE_PATH_ID, new TextEncoder().encode(text)]]);
      const between = {
        lowerBounds: bound('file:///lake/n/t/hot/a'),
        upperBounds: bound('file:///lake/n/t/hot/z'),
      };
      const bounded = { ...(await put('bounded', many)), ...between };
      await commitWith({ snapshotId: 0n, files: [bounded] });
    });

    /** The container's blocks in another codec. Only for files of less than 128 kB, whose lengths take up to three bytes. */
    function recoded(codec: string, encode: (data: Buffer) => Buffer): (bytes: Uint8Array) => Uint8Array {
      return (bytes) => {
        const file = Buffer.from(bytes);
        const name = file.indexOf('deflate');
        const sync = file.subarray(-16);
        const headerEnd = file.indexOf(sync) + 16;
        const block = file.subarray(headerEnd, -16);
        const [count, afterCount] = readLong(block, 0);
        const [, start] = readLong(block, afterCount);
        const data = encode(inflateRawSync(block.subarray(start)));
        return Buffer.concat([
          file.subarray(0, name - 1),
          writeLong(codec.length),
          Buffer.from(codec),
          file.subarray(name + 'deflate'.length, headerEnd),
          writeLong(count),
          writeLong(data.length),
          data,
          sync,
        ]);
      };
    }

    /** Avro's zig-zag variable-length integers; small positive ones only. */
    function readLong(bytes: Buffer, at: number): [value: number, end: number] {
      let value = 0;
      for (let shift = 0; ; shift += 7) {
        const byte = bytes[at++] ?? 0;
        value += (byte & 0x7f) * 2 ** shift;
        if (byte < 0x80) return [value / 2, at];
      }
    }

    function writeLong(value: number): Buffer {
      const bytes: number[] = [];
      let rest = value * 2;
      for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes.push((rest & 0x7f) | 0x80);
      return Buffer.from([...bytes, rest]);
    }

    /** Snappy's raw format with literals alone, and Avro's checksum behind it, which readers may skip. */
    function snappy(data: Buffer): Buffer {
      const length: number[] = [];
      let rest = data.length;
      for (; rest >= 0x80; rest >>= 7) length.push((rest & 0x7f) | 0x80);
      const literal = Buffer.from([61 << 2, (data.length - 1) & 0xff, (data.length - 1) >> 8]);
      return Buffer.concat([Buffer.from([...length, rest]), literal, data, Buffer.alloc(4)]);
    }

    it.each([
      ['null', (data: Buffer) => data],
      ['snappy', snappy],
      ['zstandard', (data: Buffer) => zstdCompressSync(data)],
    ])('looks into manifests of the codec %s', async (codec, encode) => {
      const recode = recoded(codec, encode);
      const naming = (path: string) => commitWith({ snapshotId: 0n, files: [fileAt(path)] }, recode);
      await expect(naming(OLD.p)).rejects.toMatchObject(NAMES_MOVED);
      await naming('file:///lake/n/t/hot/new.parquet');
    });
  });
}
