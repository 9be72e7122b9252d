import { createServer, request as forward } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadModels } from '../../src/pipeline/load-models.ts';
import { mainSnapshotId } from '../../src/pipeline/model-state.ts';
import type { RunReport } from '../../src/pipeline/run.ts';
import { createStaging } from '../../src/pipeline/trino-staging.ts';
import { openTable, parseTableName } from '../../src/table/table.ts';
import { testedStack, withStack } from './stack.ts';
import { TwinModels } from './trino-models-project.ts';

const DAYS = 104;

/** Rows of `days` days from 2001-01-01 + `from` on. */
function csv(from: number, days: number, step = 1): string {
  const rows = Array.from({ length: days * 2 }, (_, i) => {
    const day = new Date(Date.UTC(2001, 0, 1 + from + Math.floor(i / 2))).toISOString().slice(0, 10);
    return `${day} 10:00:0${i % 2}.123456,${(i * step) % 17},${i / 4}`;
  });
  return `ts,id,v\n${rows.join('\n')}\n`;
}

const TWINS = {
  'silver/tm_day': {
    sql: "SELECT ts, id, v * 2 AS w, CASE WHEN v > 3 THEN 'high' END AS label FROM bronze.tm_e WHERE v IS NOT NULL",
    yml: 'materialisation: replace_partitions\npartition_by: [day(ts)]\ncolumns: [{ name: w, checks: [{ accepted_range: { max: 1000 } }] }]\n',
  },
  'gold/tm_sum': {
    sql: `WITH high AS (SELECT * FROM silver.tm_day_TWIN d WHERE d.label = 'high')
      SELECT a.id, count(*) AS n, sum(a.w) AS w, (SELECT count(*) FROM high) AS high FROM silver.tm_day_TWIN a GROUP BY a.id`,
    yml: 'materialisation: full\nchecks: [{ unique: [id] }]\n',
  },
  'gold/tm_last': {
    sql: 'SELECT id, max(ts) AS last_ts, CAST(count(*) AS integer) AS n FROM silver.tm_day_TWIN GROUP BY id HAVING count(*) > 1',
    yml: 'materialisation: upsert\nkey: [id]\n',
  },
};

const NAMES = ['silver.tm_day', 'gold.tm_sum', 'gold.tm_last'];

/** What a run did to each twin: the same, whoever ran the SQL. */
function twinReports({ models }: RunReport): [unknown, unknown][] {
  const of = (id: string) => {
    const { status, rows, partitions } = models.find(({ model }) => model === id) ?? {};
    return { status, rows, partitions };
  };
  return NAMES.map((name) => [of(`${name}_t`), of(`${name}_d`)]);
}

/** Trino behind a server that is lost for good as soon as an INSERT has begun. */
async function dyingTrino(): Promise<{ address: string; close(): void }> {
  let isLost = false;
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const body = Buffer.concat(chunks);
      if (isLost) return void incoming.socket.destroy();
      isLost = body.toString().startsWith('INSERT');
      const target = {
        port: testedStack().ports.trino,
        method: incoming.method,
        path: incoming.url,
        headers: incoming.headers,
      };
      const passed = forward(target, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(outgoing);
      });
      passed.end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close };
}

withStack('models that Trino runs', () => {
  let project: TwinModels;
  beforeAll(async () => {
    project = await TwinModels.open('trino_models', 'tm_e', TWINS);
  });
  afterAll(() => project?.close());

  const heads = async () => {
    const tables = NAMES.flatMap((name) => [`${name}_t`, `${name}_d`]);
    const opened = await Promise.all(tables.map((id) => openTable(project.lake, parseTableName(id))));
    return opened.map(({ metadata }) => [mainSnapshotId(metadata), Object.keys(metadata.refs)]);
  };
  const expectTwins = async () => {
    for (const name of NAMES) {
      const rows = await project.rows(`${name}_t`);
      expect(rows).toEqual(await project.rows(`${name}_d`));
      expect(rows.length).toBeGreaterThan(0);
    }
    expect(await project.staged()).toEqual([]);
  };

  it('give the rows and write the partitions that duckdb does: at first, with more, with late rows, with fewer', async () => {
    await project.write('data/1.csv', csv(0, DAYS));
    const first = await project.run();
    expect(twinReports(first)[0]?.[0]).toEqual({ status: 'built', rows: DAYS * 2, partitions: DAYS });
    for (const [trino, duckdb] of twinReports(first)) expect(trino).toEqual(duckdb);
    await expectTwins();

    const idle = await project.run();
    expect(idle.models.every(({ status }) => status === 'unchanged')).toBe(true);

    await project.write('data/2.csv', csv(DAYS, 3, 5));
    await project.write('data/3-late.csv', csv(7, 2, 3));
    const more = await project.run();
    expect(twinReports(more)[0]?.[0]).toEqual({ status: 'built', rows: 14, partitions: 5 });
    for (const [trino, duckdb] of twinReports(more)) expect(trino).toEqual(duckdb);
    await expectTwins();

    await project.both.run("DELETE FROM bronze.tm_e WHERE ts < TIMESTAMP '2001-01-03 00:00:00' OR id = 4");
    const fewer = await project.run();
    for (const [trino, duckdb] of twinReports(fewer)) expect(trino).toEqual(duckdb);
    await expectTwins();
  });

  it('leave everything as it was when a check fails', async () => {
    const before = await heads();
    await project.write('data/4-wrong.csv', 'ts,id,v\n2001-02-01 00:00:00,1,501\n');
    await expect(
      project.run({ select: ['bronze.tm_e', 'silver.tm_day_t', 'gold.tm_sum_t'] }),
    ).rejects.toMatchObject({
      kind: 'check-failed',
    });
    expect(await heads()).toEqual(before);
    expect(await project.staged()).toEqual([]);
    await project.both.run('DELETE FROM bronze.tm_e WHERE v > 500');
    await project.run();
    await expectTwins();
  });

  it('leave everything as it was when Trino is lost in the middle, and the next run makes it good', async () => {
    const before = await heads();
    await project.write('data/5.csv', csv(3, 4, 7));
    const trino = await dyingTrino();
    try {
      await expect(project.run({}, trino.address)).rejects.toMatchObject({ kind: 'unavailable' });
    } finally {
      trino.close();
    }
    expect(await heads()).toEqual(before);
    expect(await project.staged()).toEqual([]);
    await project.run();
    await expectTwins();
  });

  it('drop what a killed run left in staging, and nothing that may still be in use', async () => {
    const { config } = project.lake;
    const models = await loadModels(config.modelsFolder, config.root);
    const model = models.find(({ id }) => id === 'gold.tm_sum_t');
    if (model === undefined) throw new Error('no model');
    const columns = [{ name: 'id', type: 'long' }] as const;
    const now = new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, '').toLowerCase();
    const left = await createStaging(project.lake, model, '20010101t000000_0123abcd', columns);
    const used = await createStaging(project.lake, model, `${now}_0123abcd`, columns);
    const warnings: string[] = [];
    await project.run({ warn: (message) => warnings.push(message) });
    expect(warnings).toEqual([expect.stringContaining(left.identifier.name)]);
    expect(await project.staged()).toEqual([used.identifier.name]);
    await project.lake.catalog.dropTable(used.identifier);
  });

  it('say what is wrong with their SQL, by the file', async () => {
    await project.write('models/gold/tm_sum_t.sql', 'SELECT id, nope FROM silver.tm_day_t');
    await expect(project.run({ select: ['gold.tm_sum_t'], fullRefresh: true })).rejects.toMatchObject({
      kind: 'invalid-file',
      where: expect.stringContaining('tm_sum_t.sql'),
    });
    await project.write('models/gold/tm_sum_t.sql', 'SELECT * FROM TABLE(sequence(1, 3))');
    await expect(project.run()).rejects.toMatchObject({ kind: 'unsupported' });
    expect(await project.staged()).toEqual([]);
  });
});
