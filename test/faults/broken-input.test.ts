import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { buildCatalogApp } from '../../catalog/app.ts';
import { openCatalogStore } from '../../catalog/store/open-store.ts';
import { lake as command } from '../cli/recorded-terminal.ts';
import { type MovingLake, openMovingLake } from '../tiering/moving-lake.ts';
import { type BrokenInput, complaintOf, luckOf, outcomeOf, sample } from './broken-input.ts';
import { commandComplaint, commandLines, commandProject, realLake } from './broken-input-commands.ts';
import { brokenRequests, requestComplaint } from './broken-input-requests.ts';
import { rowInputs } from './broken-input-rows.ts';
import { tableInputs } from './broken-input-tables.ts';
import { textInputs } from './broken-input-texts.ts';
import { fillTable } from './tiny-lake.ts';

// Twenty commands are processes of their own, and a machine may be busy.
vi.setConfig({ testTimeout: 900_000 });

const SEED = Number(process.env['LAKE_SEED'] ?? 1);

/** How many inputs each door was given. */
const counts: Record<string, number> = {};

let folder: string;
let lake: MovingLake;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lake-broken-'));
  lake = await openMovingLake();
  await fillTable(lake, 'moved');
});
afterAll(async () => {
  await lake.close();
  await rm(folder, { recursive: true, force: true });
});

/** The tables with the metadata that they are at, and every file of the lake with its size. */
async function stateOf(): Promise<string> {
  const tables: string[] = [];
  for (const namespace of await lake.catalog.listNamespaces())
    for (const identifier of await lake.catalog.listTables(namespace)) {
      const { metadataLocation } = await lake.catalog.loadTable(identifier);
      tables.push(`${identifier.name} ${metadataLocation}`);
    }
  const files: string[] = [];
  for await (const page of lake.objects.list(`file://${lake.root}/warehouse`))
    for (const { location, size } of page) files.push(`${location} ${size}`);
  return [...tables, ...files.sort()].join('\n');
}

/** Feeds every input; nothing may change but by one that is taken. */
async function feedAll(
  door: string,
  inputs: readonly BrokenInput[],
  state: () => Promise<string>,
): Promise<string[]> {
  const complaints: string[] = [];
  let before = await state();
  for (const input of inputs) {
    const outcome = await outcomeOf(input);
    const complaint = complaintOf(input, outcome);
    if (complaint !== null) complaints.push(`${door}, ${input.name}: ${complaint}`);
    const after = await state();
    if (after !== before && outcome.thrown !== undefined)
      complaints.push(`${door}, ${input.name}: was refused and changed ${before} to ${after}`);
    before = after;
  }
  counts[door] = (counts[door] ?? 0) + inputs.length;
  return complaints;
}

it('lake.yaml, policies, models and plans: each broken one is refused with its place', async () => {
  const complaints: string[] = [];
  for (const [door, inputs] of Object.entries(await textInputs(folder, luckOf(SEED))))
    complaints.push(...(await feedAll(door, inputs, async () => '')));
  expect(complaints, `LAKE_SEED=${SEED}`).toEqual([]);
});

it('requests to the catalog: each broken one is answered 4xx with the error model', async () => {
  const store = await openCatalogStore(join(lake.root, 'catalog.db'), lake.clock);
  const { objects, clock, config } = lake;
  const app = buildCatalogApp({
    store,
    objects,
    clock,
    tiers: config.tiers,
    warehouse: config.tiers[0]?.location ?? '',
  });
  const before = await stateOf();
  const requests = brokenRequests('/v1/namespaces/gold/tables/moved', luckOf(SEED));
  const complaints: string[] = [];
  for (const request of requests) {
    const complaint = await requestComplaint(app, request);
    if (complaint !== null) complaints.push(complaint);
  }
  counts['requests'] = requests.length;
  await app.close();
  expect(complaints, `LAKE_SEED=${SEED}`).toEqual([]);
  expect(await stateOf()).toBe(before);
});

it('stored files: a table with a broken one is refused, or reads as it did, and stays as it is', async () => {
  const complaints: string[] = [];
  for (const [door, inputs] of Object.entries(await tableInputs(lake, 'moved', luckOf(SEED))))
    complaints.push(...(await feedAll(door, inputs, stateOf)));
  expect(complaints, `LAKE_SEED=${SEED}`).toEqual([]);
});

it('files to ingest: nothing of a broken one comes into the table, and no file of it stays', async () => {
  const complaints: string[] = [];
  for (const [door, inputs] of Object.entries(await rowInputs(lake, luckOf(SEED))))
    complaints.push(...(await feedAll(door, inputs, stateOf)));
  expect(complaints, `LAKE_SEED=${SEED}`).toEqual([]);
});

it('command lines: each wrong one ends with one message and changes nothing', async () => {
  const root = await commandProject(folder);
  const files = async () =>
    (await readdir(root, { recursive: true })).filter((name) => !/-(wal|shm)$/.test(name)).sort();
  const before = await files();
  const lines = commandLines();
  const complaints: (string | null)[] = [];
  for (const argv of lines) complaints.push(commandComplaint(argv, await command(root, argv)));
  const real = sample(
    lines.filter((argv) => argv.every((word) => !/[\0\ud800]/.test(word))),
    20,
    luckOf(SEED),
  );
  const queue = real.values();
  const lane = async () => {
    for (const argv of queue) complaints.push(commandComplaint(argv, await realLake(root, argv)));
  };
  await Promise.all([lane(), lane()]);
  counts['command lines'] = lines.length;
  counts['real commands'] = real.length;
  expect(
    complaints.filter((one) => one !== null),
    `LAKE_SEED=${SEED}`,
  ).toEqual([]);
  expect(await files()).toEqual(before);
});

it('they are at least 500', () => {
  const all = Object.values(counts).reduce((sum, count) => sum + count, 0);
  process.stdout.write(`broken inputs, seed ${SEED}: ${all} ${JSON.stringify(counts)}\n`);
  expect(all).toBeGreaterThanOrEqual(500);
});
