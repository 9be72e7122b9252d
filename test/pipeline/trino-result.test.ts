import { afterEach, expect, it } from 'vitest';
import { type FakeTrino, startFakeTrino } from '../engine/fake-trino.ts';
import { type EventsProject, inEventsProject } from './events-project.ts';

let trino: FakeTrino | undefined;
afterEach(() => trino?.close());

const typed = (rawType: string) => ({ type: rawType, typeSignature: { rawType, arguments: [] } });
const plan = (...tables: readonly string[]) => ({
  columns: [{ name: 'Query Plan', ...typed('varchar') }],
  data: [[JSON.stringify(tables.map((table) => ({ table })))]],
});
const columns = { columns: [{ name: 'v', ...typed('integer') }] };
const written = { columns: [{ name: 'rows', ...typed('bigint') }], data: [[0]] };

/** A model that Trino runs: it tells its plan, the columns, that the INSERT wrote nothing, and its plan once more. */
async function withModel(again: object, use: (project: EventsProject) => Promise<void>): Promise<void> {
  const fake = await startFakeTrino([plan(), columns, written, again]);
  trino = fake;
  const files = {
    'lake.yaml': `version: 1\nname: t\nwarehouse: ./w\ncatalog: { embedded: ./c.db }\ntrino: { server: "${fake.address}", catalog: lake }\n`,
    'models/gold/t.sql': 'SELECT v FROM bronze.e WHERE false',
    'models/gold/t.yml': 'version: 1\nengine: trino\nmaterialisation: full\n',
  };
  await inEventsProject(files, use);
}

const SELECT = { select: ['bronze.e', 'gold.t'] };

it('a view that was slipped in while Trino wrote publishes nothing', async () => {
  await withModel(plan('lake:silver.e$data'), async ({ run, table, lake }) => {
    await expect(run(SELECT)).rejects.toMatchObject({
      kind: 'unsupported',
      message: expect.stringContaining('silver.e'),
    });
    await expect(table('gold.t')).rejects.toMatchObject({ kind: 'not-found' });
    expect(await lake.catalog.listTables(['lake_staging'])).toEqual([]);
  });
});

it('a plan that stays as it was lets the result through', async () => {
  await withModel(plan(), async ({ run, table, lake }) => {
    expect(Object.keys(await run(SELECT))).toEqual(['bronze.e', 'gold.t']);
    expect((await table('gold.t')).metadata.schemas).toHaveLength(1);
    expect(await lake.catalog.listTables(['lake_staging'])).toEqual([]);
  });
});
