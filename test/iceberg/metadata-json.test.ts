import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isKind } from '../../src/errors.ts';
import { parseJson, stringifyJson } from '../../src/iceberg/json.ts';
import { parseTableMetadata, serializeTableMetadata } from '../../src/iceberg/metadata-json.ts';
import {
  ancestors,
  currentSchema,
  currentSnapshot,
  defaultSortOrder,
  defaultSpec,
  snapshotAsOf,
  snapshotForRef,
  snapshotSchema,
} from '../../src/iceberg/table-metadata.ts';
import { SCHEMA, tableWithHistory } from './metadata-samples.ts';

const FIXTURES = path.join(import.meta.dirname, '../fixtures/iceberg-java');

/** Every metadata file of every golden table, as `table/metadata/file`. */
const goldenFiles = readdirSync(FIXTURES, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.metadata.json'))
  .sort();

function readGolden(file: string): string {
  return readFileSync(path.join(FIXTURES, file), 'utf8');
}

/** The same JSON without the ways Java has to say that there is no current snapshot. */
function withoutEmptyCurrent(text: string): unknown {
  const json = parseJson(text) as Record<string, unknown>;
  const { 'current-snapshot-id': id, ...rest } = json;
  return id === -1n || id === null ? rest : json;
}

describe('metadata written by Iceberg Java', () => {
  it('is there in all three format versions', () => {
    const versions = goldenFiles.map((file) => parseTableMetadata(readGolden(file))['format-version']);
    expect(new Set(versions)).toEqual(new Set([1, 2, 3]));
  });

  it.each(goldenFiles)('%s comes back as it was', (file) => {
    const text = readGolden(file);
    const metadata = parseTableMetadata(text);
    expect(parseJson(serializeTableMetadata(metadata))).toEqual(withoutEmptyCurrent(text));
    expect(parseTableMetadata(serializeTableMetadata(metadata))).toEqual(metadata);
  });

  it.each(goldenFiles)('%s answers every lookup', (file) => {
    const metadata = parseTableMetadata(readGolden(file));
    expect(currentSchema(metadata).fields.length).toBeGreaterThan(0);
    expect(defaultSpec(metadata)['spec-id']).toBe(metadata['default-spec-id']);
    expect(defaultSortOrder(metadata)['order-id']).toBe(metadata['default-sort-order-id']);
    const current = currentSnapshot(metadata);
    expect(snapshotForRef(metadata, 'main')).toBe(current);
    expect(snapshotAsOf(metadata, metadata['last-updated-ms'])).toBe(current);
    for (const snapshot of metadata.snapshots) {
      expect(snapshotSchema(metadata, snapshot).type).toBe('struct');
      const line = [...ancestors(metadata, snapshot['snapshot-id'])];
      expect(line.at(-1)?.['parent-snapshot-id']).toBeUndefined();
    }
  });
});

describe('version 1 of an early writer', () => {
  const early = {
    'format-version': 1,
    location: 's3://b/t/',
    'last-updated-ms': 1_500_000_000_000,
    'last-column-id': 2,
    schema: { type: 'struct', fields: SCHEMA.fields },
    'partition-spec': [{ 'source-id': 2, name: 'ts_day', transform: 'day' }],
    'current-snapshot-id': 7_368_699_268_319_459_135n,
    snapshots: [
      {
        'snapshot-id': 7_368_699_268_319_459_135n,
        'timestamp-ms': 1_500_000_000_000,
        'manifest-list': 's3://b/t/metadata/snap.avro',
      },
    ],
  };

  it('is read in the shape of version 2', () => {
    const metadata = parseTableMetadata(stringifyJson(early));
    expect(currentSchema(metadata)).toMatchObject({ 'schema-id': 0, fields: SCHEMA.fields });
    expect(defaultSpec(metadata).fields[0]?.['field-id']).toBe(1000);
    expect(metadata['last-partition-id']).toBe(1000);
    expect(metadata.location).toBe('s3://b/t');
    expect(currentSnapshot(metadata)?.['sequence-number']).toBe(0);
    expect(metadata.refs['main']?.['snapshot-id']).toBe(7_368_699_268_319_459_135n);
    expect(metadata).not.toHaveProperty('schema');
  });

  it('gets the same uuid at every read, so that requirements on it hold', () => {
    const [first, second] = [early, { ...early, location: 's3://b/other' }].map((json) =>
      parseTableMetadata(stringifyJson(json)),
    );
    expect(first?.['table-uuid']).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
    expect(parseTableMetadata(stringifyJson(early))['table-uuid']).toBe(first?.['table-uuid']);
    expect(second?.['table-uuid']).not.toBe(first?.['table-uuid']);
  });

  it('is written with what version 1 readers look for', () => {
    const json = parseJson(serializeTableMetadata(parseTableMetadata(stringifyJson(early))));
    expect(json).toMatchObject({
      schema: { fields: SCHEMA.fields },
      'partition-spec': [{ 'field-id': 1000 }],
    });
    expect(json).not.toHaveProperty('last-sequence-number');
    expect(json).not.toHaveProperty(['snapshots', 0, 'sequence-number']);
  });

  it('is refused if its manifests stand in the snapshot, rather than read as empty', () => {
    const { 'manifest-list': _, ...snapshot } = { ...early.snapshots[0], manifests: ['s3://b/t/m.avro'] };
    const text = stringifyJson({ ...early, snapshots: [snapshot] });
    expect(kindOf(() => parseTableMetadata(text))).toBe('unsupported');
  });
});

it('reads a table upgraded from v1, whose old snapshots lack what v2 requires', () => {
  const json = parseJson(serializeTableMetadata(tableWithHistory(2))) as {
    snapshots: Record<string, unknown>[];
  };
  const [old, ...rest] = json.snapshots;
  const { 'sequence-number': _, summary: _summary, ...bare } = old ?? {};
  const metadata = parseTableMetadata(stringifyJson({ ...json, snapshots: [bare, ...rest] }));
  expect(metadata.snapshots[0]).toMatchObject({ 'sequence-number': 0, summary: { operation: 'overwrite' } });
});

it('keeps fields that it does not know', () => {
  const json = parseJson(serializeTableMetadata(tableWithHistory(1))) as Record<string, unknown>;
  const text = stringifyJson({ ...json, 'of-tomorrow': { 'a-snapshot-id': 9_007_199_254_740_993n } });
  expect(parseJson(serializeTableMetadata(parseTableMetadata(text)))).toEqual(parseJson(text));
});

describe('damaged metadata', () => {
  const sound = parseJson(serializeTableMetadata(tableWithHistory(2))) as Record<string, unknown>;
  const damages: [string, Record<string, unknown>][] = [
    ['schemas[0].schema-id', { schemas: [{ ...SCHEMA, 'schema-id': '0' }] }],
    ['current-schema-id is 7', { 'current-schema-id': 7 }],
    ['current-snapshot-id is 9', { 'current-snapshot-id': 9n }],
    ['refs.gone is at 9', { refs: { gone: { 'snapshot-id': 9n, type: 'tag' } } }],
    ['refs.main and current', { refs: { main: { 'snapshot-id': 1n, type: 'branch' } } }],
    ['above last-sequence-number', { 'last-sequence-number': 1 }],
    ['two elements with schema-id 0', { schemas: [SCHEMA, SCHEMA] }],
    ['properties.a is 1', { properties: { a: 1 } }],
    ['table-uuid is missing', { 'table-uuid': null }],
    ['snapshots is {}', { snapshots: {} }],
  ];

  it.each(damages)('is refused with the place: %s', (place, damage) => {
    const read = () => parseTableMetadata(stringifyJson({ ...sound, ...damage }));
    expect(kindOf(read)).toBe('corrupt');
    expect(read).toThrow(place);
  });

  it('is refused as unsupported if it is of a newer format', () => {
    expect(kindOf(() => parseTableMetadata('{"format-version": 4}'))).toBe('unsupported');
  });

  it('never gets past the parser as another kind of error', () => {
    const keys = fc.constantFrom(...Object.keys(sound));
    fc.assert(
      fc.property(keys, fc.jsonValue({ maxDepth: 2 }), (key, value) => {
        const kind = kindOf(() => parseTableMetadata(stringifyJson({ ...sound, [key]: value })));
        expect([null, 'corrupt', 'unsupported']).toContain(kind);
      }),
      { numRuns: 300 },
    );
  });

  it('is refused if the file is cut off', () => {
    const text = serializeTableMetadata(tableWithHistory(2));
    fc.assert(
      fc.property(fc.integer({ min: 0, max: text.length - 1 }), (length) => {
        expect(kindOf(() => parseTableMetadata(text.slice(0, length)))).toBe('corrupt');
      }),
    );
  });
});

/** The kind of the LakeError that `act` throws; null if it throws none. */
function kindOf(act: () => unknown): string | null {
  try {
    act();
    return null;
  } catch (error) {
    return isKind(error, 'corrupt', 'unsupported') ? error.kind : String(error);
  }
}
