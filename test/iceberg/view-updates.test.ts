import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  parseViewMetadata,
  serializeViewMetadata,
  type ViewMetadata,
} from '../../src/iceberg/view-metadata.ts';
import { applyViewUpdates, type ViewUpdate } from '../../src/iceberg/view-updates.ts';

const schema = {
  type: 'struct',
  'schema-id': 0,
  fields: [{ id: 1, name: 'a', required: false, type: 'long' }],
} as const;
const version = (sql: string, id = 1) => ({
  'version-id': id,
  'schema-id': -1,
  'timestamp-ms': 1000,
  summary: {},
  representations: [{ type: 'sql', sql, dialect: 'trino' }] as const,
  'default-namespace': ['n'],
});
const change = (sql: string): ViewUpdate[] => [
  { action: 'add-schema', schema },
  { action: 'add-view-version', 'view-version': version(sql) },
  { action: 'set-current-view-version', 'view-version-id': -1 },
];
const created = (properties: Record<string, string> = {}): ViewMetadata =>
  applyViewUpdates(
    null,
    [
      { action: 'assign-uuid', uuid: 'u' },
      { action: 'set-location', location: 'memory://v/' },
      { action: 'set-properties', updates: properties },
      ...change('select 0'),
    ],
    5,
  );
const sqlOf = (view: ViewMetadata, id: number) =>
  view.versions.find((one) => one['version-id'] === id)?.representations[0]?.sql;

it('keeps the current version and the newest, and a log without gaps, whatever the order of changes', () => {
  const queries = fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 25 });
  fc.assert(
    fc.property(queries, fc.integer({ min: 1, max: 5 }), (changes, size) => {
      let view = created({ 'version.history.num-entries': `${size}` });
      for (const [at, query] of changes.entries()) {
        view = applyViewUpdates(view, change(`select ${query}`), 10 + at);
        const ids = view.versions.map((one) => one['version-id']);
        const log = view['version-log'].map((one) => one['version-id']);
        expect(sqlOf(view, view['current-version-id'])).toBe(`select ${query}`);
        expect(ids.length).toBeLessThanOrEqual(size);
        expect(new Set(ids).size).toBe(ids.length);
        expect(log.every((id) => ids.includes(id))).toBe(true);
        expect(log.at(-1)).toBe(view['current-version-id']);
        expect(view.schemas).toHaveLength(1);
        expect(parseViewMetadata(serializeViewMetadata(view))).toEqual(view);
      }
    }),
  );
});

it('finds a version with the same meaning, and gives the others ids of their own', () => {
  const two = applyViewUpdates(created(), change('select 1'), 10);
  expect(two['current-version-id']).toBe(2);
  const back = applyViewUpdates(two, change('select 0'), 20);
  expect(back['current-version-id']).toBe(1);
  expect(back.versions).toHaveLength(2);
  expect(back['version-log'].at(-1)).toEqual({ 'timestamp-ms': 20, 'version-id': 1 });
  expect(applyViewUpdates(back, change('select 0'), 30)).toBe(back);
});

it.each([
  [
    'a schema that is not there',
    [{ action: 'add-view-version', 'view-version': { ...version('x'), 'schema-id': 7 } }],
  ],
  [
    'no query',
    [
      {
        action: 'add-view-version',
        'view-version': { ...version('x'), 'schema-id': 0, representations: [] },
      },
    ],
  ],
  ['another uuid', [{ action: 'assign-uuid', uuid: 'w' }]],
  ['a format version that is none', [{ action: 'upgrade-format-version', 'format-version': 2 }]],
  ['a last added version that is none', [{ action: 'set-current-view-version', 'view-version-id': -1 }]],
  ['a history of no length', [{ action: 'set-properties', updates: { 'version.history.num-entries': '0' } }]],
] as const)('refuses %s', (_what, updates) => {
  expect(() => applyViewUpdates(created(), updates, 10)).toThrow(
    expect.objectContaining({ kind: 'invalid-argument' }),
  );
});

it('refuses a view that lacks a part, and files that are no view metadata', () => {
  expect(() => applyViewUpdates(null, change('select 1'), 1)).toThrow(/assign-uuid, set-location/);
  const view = created();
  for (const broken of [
    { ...view, 'current-version-id': 9 },
    { ...view, schemas: [] },
    { ...view, 'format-version': 2 },
    { ...view, versions: [{ 'version-id': 1 }] },
    [],
  ]) {
    expect(() => parseViewMetadata(JSON.stringify(broken))).toThrow(
      expect.objectContaining({ kind: 'corrupt' }),
    );
  }
});
