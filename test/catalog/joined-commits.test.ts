import { afterEach, beforeEach, expect, it } from 'vitest';
import { parseTableMetadata } from '../../src/iceberg/metadata-json.ts';
import type { TableUpdate } from '../../src/iceberg/updates.ts';
import { type CatalogUnderTest, embedded, SCHEMA } from './lake.ts';

const T = { namespace: ['n'], name: 't' };
let under: CatalogUnderTest;

beforeEach(async () => {
  under = await embedded();
  await under.catalog.createNamespace(['n']);
  await under.catalog.createTable(['n'], { name: 't', schema: SCHEMA });
});
afterEach(() => under.dispose());

const set = (key: string, value: string): readonly TableUpdate[] => [
  { action: 'set-properties', updates: { [key]: value } },
];

async function versions(): Promise<number> {
  const { metadata } = await under.catalog.loadTable(T);
  let count = 0;
  for await (const page of under.objects.list(`${metadata.location}/metadata/`)) count += page.length;
  return count;
}

it('publishes commits that wait for one table as one, each checked on what those before it left', async () => {
  const { metadata: before } = await under.catalog.loadTable(T);
  const commits = Array.from({ length: 40 }, (_, at) =>
    under.catalog.commitTable({ identifier: T, requirements: [], updates: set(`p${at}`, `${at}`) }),
  );
  // One of those in the middle is refused for what the table is, one for what an earlier one makes of it.
  const wrong = under.catalog.commitTable({
    identifier: T,
    requirements: [{ type: 'assert-current-schema-id', 'current-schema-id': 7 }],
    updates: set('wrong', 'x'),
  });
  const add = (name: string) =>
    under.catalog.commitTable({
      identifier: T,
      requirements: [{ type: 'assert-last-assigned-field-id', 'last-assigned-field-id': 2 }],
      updates: [
        {
          action: 'add-schema',
          schema: {
            ...SCHEMA,
            'schema-id': 1,
            fields: [...SCHEMA.fields, { id: 3, name, required: false, type: 'string' }],
          },
        },
      ],
    });
  const schemas = [add('one'), add('two')];
  const outcomes = await Promise.allSettled([...commits, wrong, ...schemas]);
  const failed = outcomes.flatMap((one) => (one.status === 'rejected' ? [one.reason.kind] : []));
  expect(failed).toEqual(['conflict', 'conflict']);
  // Each answer holds its own change.
  for (const [at, outcome] of outcomes.slice(0, 40).entries()) {
    if (outcome.status !== 'fulfilled') throw outcome.reason;
    expect(outcome.value.metadata.properties[`p${at}`]).toBe(`${at}`);
  }
  const { metadata } = await under.catalog.loadTable(T);
  for (let at = 0; at < 40; at++) expect(metadata.properties[`p${at}`]).toBe(`${at}`);
  expect(metadata.properties['wrong']).toBeUndefined();
  expect(metadata.schemas.map((schema) => schema.fields.length)).toEqual([2, 3]);
  expect(await versions()).toBeLessThan(20);
  // The log names each file once, oldest first, and all of them are there.
  const log = metadata['metadata-log'].map((entry) => entry['metadata-file']);
  expect(new Set(log).size).toBe(log.length);
  expect(log.length + 1).toBe(await versions());
  const first = parseTableMetadata(new TextDecoder().decode(await under.objects.get(log[0] ?? '')));
  expect(first).toEqual(before);
});

it('tells nobody that a change was made or refused while others of the same group could not be published', async () => {
  const { metadata } = await under.catalog.loadTable(T);
  const uuid = metadata['table-uuid'];
  // A drop comes between: all that waited find the table gone.
  const commits = Array.from({ length: 5 }, (_, at) =>
    under.catalog.commitTable({
      identifier: T,
      requirements: [{ type: 'assert-table-uuid', uuid }],
      updates: set(`p${at}`, 'x'),
    }),
  );
  const drop = under.catalog.dropTable(T);
  const outcomes = await Promise.allSettled(commits);
  await drop;
  for (const one of outcomes) {
    if (one.status === 'rejected') expect(['conflict', 'not-found']).toContain(one.reason.kind);
  }
  await expect(under.catalog.loadTable(T)).rejects.toMatchObject({ kind: 'not-found' });
});

it('commits transactions and commits of single tables in turns, without a conflict between them', async () => {
  await under.catalog.createTable(['n'], { name: 'u', schema: SCHEMA });
  const U = { namespace: ['n'], name: 'u' };
  const both = (at: number, order: readonly (typeof T)[]) =>
    under.catalog.commitTransaction(
      order.map((identifier) => ({ identifier, requirements: [], updates: set(`both${at}`, 'x') })),
    );
  const one = (at: number, identifier: typeof T) =>
    under.catalog.commitTable({ identifier, requirements: [], updates: set(`one${at}`, 'x') });
  await Promise.all(
    Array.from({ length: 12 }, (_, at) => [
      both(at, at % 2 === 0 ? [T, U] : [U, T]),
      one(at, T),
      one(at, U),
    ]).flat(),
  );
  for (const identifier of [T, U]) {
    const { properties } = (await under.catalog.loadTable(identifier)).metadata;
    expect(Object.keys(properties).filter((key) => /^(both|one)\d+$/.test(key))).toHaveLength(24);
  }
});
