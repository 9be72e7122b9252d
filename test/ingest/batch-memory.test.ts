import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { ingest } from '../../src/ingest/ingest.ts';
import { openTable } from '../../src/table/table.ts';
import { column, type IngestLake, openIngestLake, TABLE } from './ingest-lake.ts';

const DAY = 86_400_000;

let lake: IngestLake;
beforeEach(async () => {
  lake = await openIngestLake();
  await lake.createTable([column('id', 'long', true)]);
});
afterEach(() => lake.dispose());

async function setProperties(updates: Readonly<Record<string, string>>): Promise<void> {
  await lake.catalog.commitTable({
    identifier: TABLE,
    requirements: [],
    updates: [{ action: 'set-properties', updates }],
  });
}

async function remembered(): Promise<string[]> {
  const { properties } = (await openTable(lake, TABLE)).metadata;
  return Object.keys(properties)
    .filter((key) => key.startsWith('lake.batch.'))
    .map((key) => key.slice('lake.batch.'.length))
    .sort();
}

const committed = (days: number): string => `1 2 0 ${systemClock.now() - days * DAY}`;

it('forgets the batches that are older than the window with the next one, and no other', async () => {
  await setProperties({
    'lake.batch.aged': committed(30.1),
    'lake.batch.young': committed(29.9),
    // As older versions wrote it: nobody can tell its age.
    'lake.batch.untimed': '1 2 0',
    'write.target-file-size-bytes': '1000000',
  });
  const file = await lake.file('a.csv', 'id\n1\n');
  await ingest(lake, TABLE, { files: [file] });
  expect(await remembered()).toEqual(['aged', 'untimed', 'young']);
  await ingest(lake, TABLE, { files: [file], batchId: 'new' });
  expect(await remembered()).toEqual(['new', 'untimed', 'young']);
  for (const batchId of ['new', 'untimed', 'young'])
    expect(await ingest(lake, TABLE, { files: [file], batchId })).toMatchObject({ ingested: false });
  expect((await openTable(lake, TABLE)).metadata.properties).toHaveProperty('write.target-file-size-bytes');
});

it('keeps to the window of the table, and forgets the oldest first where there are many', async () => {
  const many = Object.fromEntries(
    Array.from({ length: 1200 }, (_, i) => [`lake.batch.b${i}`, committed(3 + i / 10_000)]),
  );
  await setProperties({
    ...many,
    'lake.batch.retention-ms': String(2 * DAY),
    'lake.batch.day': committed(1),
  });
  const file = await lake.file('a.csv', 'id\n1\n');
  await ingest(lake, TABLE, { files: [file], batchId: 'first' });
  const left = await remembered();
  expect(left).toHaveLength(200 + 3);
  expect(left).toContain('b0');
  await ingest(lake, TABLE, { files: [file], batchId: 'second' });
  expect(await remembered()).toEqual(['day', 'first', 'retention-ms', 'second']);
});

it.each(['soon', '0', '-1', '1e3', ''])(
  'refuses a window of "%s" before anything is written',
  async (text) => {
    await setProperties({ 'lake.batch.retention-ms': text });
    const file = await lake.file('a.csv', 'id\n1\n');
    await expect(ingest(lake, TABLE, { files: [file], batchId: 'b' })).rejects.toMatchObject({
      kind: 'invalid-argument',
      message: expect.stringContaining('lake.batch.retention-ms'),
    });
    expect(await lake.snapshots()).toBe(0);
  },
);

it('takes no batch for the name of the window', async () => {
  await setProperties({ 'lake.batch.retention-ms': '1000' });
  const file = await lake.file('a.csv', 'id\n1\n');
  await expect(ingest(lake, TABLE, { files: [file], batchId: 'retention-ms' })).rejects.toMatchObject({
    kind: 'usage',
  });
});
