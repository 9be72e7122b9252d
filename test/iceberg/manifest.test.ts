import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LakeError } from '../../src/errors.ts';
import { inheritEntry, type ManifestEntry, readManifest, writeManifest } from '../../src/iceberg/manifest.ts';
import {
  type ManifestFile,
  readManifestList,
  summarizeManifest,
  writeManifestList,
} from '../../src/iceberg/manifest-list.ts';
import type { PartitionSpec } from '../../src/iceberg/partition-spec.ts';
import type { Schema } from '../../src/iceberg/schema.ts';
import type { Value } from '../../src/iceberg/types.ts';
import { valuesOf } from './arbitrary-values.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures/iceberg-java');
const TABLES = ['v1_days', 'v2_deletes', 'v2_equality', 'v2_evolved', 'v2_transforms', 'v3_vectors'];

interface Listed {
  readonly file: ManifestFile;
  readonly bytes: Uint8Array;
}

function metadataFiles(table: string): string[] {
  return readdirSync(join(FIXTURES, table, 'metadata')).filter((name) => name.endsWith('.avro'));
}

function read(table: string, name: string): Uint8Array {
  return readFileSync(join(FIXTURES, table, 'metadata', name));
}

function lists(table: string): { name: string; manifests: ManifestFile[] }[] {
  return metadataFiles(table)
    .filter((name) => name.startsWith('snap-'))
    .map((name) => ({ name, manifests: [...readManifestList(read(table, name))] }));
}

/** Every manifest that a list of the table names, once. */
function manifests(table: string): Listed[] {
  const found = new Map<string, Listed>();
  for (const file of lists(table).flatMap((list) => list.manifests)) {
    const name = file.manifestPath.slice(file.manifestPath.lastIndexOf('/') + 1);
    found.set(name, { file, bytes: read(table, name) });
  }
  return [...found.values()];
}

describe.each(TABLES)('manifests that Iceberg Java wrote: %s', (table) => {
  test('the list tells of each manifest what its entries say', () => {
    expect(manifests(table).length).toBeGreaterThan(0);
    for (const { file, bytes } of manifests(table)) {
      const manifest = readManifest(bytes);
      const entries = [...manifest.entries].map((entry) => inheritEntry(entry, file));
      const summary = summarizeManifest({
        ...manifest,
        path: file.manifestPath,
        length: bytes.length,
        snapshotId: file.addedSnapshotId,
        sequenceNumber: file.sequenceNumber,
        entries,
      });
      const { firstRowId, partitions, ...rest } = file;
      const { partitions: ours, ...others } = summary;
      expect(others).toEqual(rest);
      expect(ours ?? []).toEqual(partitions ?? []);
      expect(firstRowId === undefined || table === 'v3_vectors').toBe(true);
    }
  });

  test('what is read is written and read back the same', () => {
    for (const { file, bytes } of manifests(table)) {
      const manifest = readManifest(bytes);
      const entries = [...manifest.entries].map((entry) => inheritEntry(entry, file));
      const again = readManifest(writeManifest({ ...manifest, formatVersion: 3, entries }));
      expect({ ...again, entries: [...again.entries] }).toEqual({ ...manifest, formatVersion: 3, entries });
    }
    for (const { manifests: listed } of lists(table)) {
      const header = {
        snapshotId: 2n ** 62n + 1n,
        parentSnapshotId: null,
        sequenceNumber: 3,
        formatVersion: 3,
      } as const;
      expect([...readManifestList(writeManifestList(header, listed))]).toEqual(listed);
    }
  });

  test('a manifest that is cut off is corrupt, never shorter', () => {
    for (const { bytes } of manifests(table)) {
      const whole = [...readManifest(bytes).entries].length;
      for (let length = bytes.length - 1; length > 0; length -= 61) {
        expect(() => {
          const entries = [...readManifest(bytes.slice(0, length)).entries];
          // All that a cut between two blocks leaves is the header.
          if (entries.length === 0 && whole > 0) throw new LakeError('corrupt', 'no entries');
        }).toThrow(LakeError);
      }
    }
  });
});

test('partition values of every type come back, among them 64-bit integers and names that Avro cannot write', () => {
  const kinds = Object.entries(valuesOf);
  const schema: Schema = {
    type: 'struct',
    'schema-id': 1,
    fields: kinds.map(([type], at) => ({ id: at + 1, name: `c${at}`, required: false, type })),
  };
  const spec: PartitionSpec = {
    'spec-id': 4,
    fields: kinds.map(([type], at) => ({
      'source-id': at + 1,
      'field-id': 1000 + at,
      name: `${at} ${type}é`,
      transform: 'identity',
    })),
  };
  const tuple = fc.tuple(...kinds.map(([, values]) => fc.option(values)));
  fc.assert(
    fc.property(fc.array(tuple, { maxLength: 3 }), (tuples) => {
      const entries = tuples.map((partition) => added(partition));
      const manifest = readManifest(
        writeManifest({ schema, spec, content: 'data', formatVersion: 2, entries }),
      );
      expect([...manifest.entries].map(({ dataFile }) => dataFile.partition)).toEqual(tuples);
      expect(manifest.spec).toEqual(spec);
    }),
    { numRuns: 40 },
  );
});

test('a tuple whose source column was dropped keeps its value', () => {
  const schema: Schema = { type: 'struct', 'schema-id': 2, fields: [] };
  const spec: PartitionSpec = {
    'spec-id': 1,
    fields: [{ 'source-id': 9, 'field-id': 1000, name: 'gone', transform: 'identity' }],
  };
  for (const value of [5, 5n, 1.5, true, 'x', null, Uint8Array.of(1)]) {
    const bytes = writeManifest({
      schema,
      spec,
      content: 'data',
      formatVersion: 2,
      entries: [added([value])],
    });
    expect([...readManifest(bytes).entries][0]?.dataFile.partition).toEqual([value]);
  }
});

test('an existing file does not inherit the sequence number of a later manifest', () => {
  const [first] = manifests('v2_deletes');
  if (!first) throw new Error('the fixture has no manifest');
  const entry: ManifestEntry = { ...added([]), status: 'existing' };
  expect(() => inheritEntry(entry, { ...first.file, sequenceNumber: 7 })).toThrow(/no sequence number/);
  expect(inheritEntry(entry, { ...first.file, sequenceNumber: 0 }).sequenceNumber).toBe(0);
  const spec = { 'spec-id': 0, fields: [] };
  const schema: Schema = { type: 'struct', 'schema-id': 0, fields: [] };
  expect(() => writeManifest({ schema, spec, content: 'data', formatVersion: 2, entries: [entry] })).toThrow(
    /sequence/,
  );
});

function added(partition: readonly Value[]): ManifestEntry {
  return {
    status: 'added',
    snapshotId: null,
    sequenceNumber: null,
    fileSequenceNumber: null,
    dataFile: {
      content: 'data',
      filePath: 'file:///t/a.parquet',
      fileFormat: 'PARQUET',
      partition,
      recordCount: 1,
      fileSizeInBytes: 10,
    },
  };
}
