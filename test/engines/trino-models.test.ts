import { createServer, request as forward } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ancestors } from '../../src/iceberg/table-metadata.ts';
import { loadModels } from '../../src/pipeline/load-models.ts';
import { mainSnapshotId } from '../../src/pipeline/model-state.ts';
import type { RunReport } from '../../src/pipeline/run.ts';
import { createStaging } from '../../src/pipeline/trino-staging.ts';
import { tableFiles } from '../../src/table/history.ts';
import { openTable, parseTableName } from '../../src/table/table.ts';
import { testedStack, withStack } from './stack.ts';
import { TwinModels } from './trino-models-project.ts';
import { TrinoStatement } from './trino-statement.ts';

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
  // A row whose last time is another moves to another partition.
  'gold/tm_last': {
    sql: 'SELECT id, max(ts) AS last_ts, CAST(count(*) AS integer) AS n FROM silver.tm_day_TWIN GROUP BY id HAVING count(*) > 1',
    yml: 'materialisation: upsert\nkey: [id]\npartition_by: [day(last_ts)]\n',
  },
  'gold/tm_cell': {
    sql: `SELECT CASE WHEN id % 3 > 0 THEN 'it''s "' || CAST(id % 3 AS varchar) END AS label, CAST(ts AS date) AS d, id > 8 AS is_late, sum(w) AS w
      FROM silver.tm_day_TWIN GROUP BY 1, 2, 3`,
    yml: 'materialisation: replace_partitions\npartition_by: [label, month(d), is_late]\n',
  },
  'gold/tm_hash': {
    sql: 'SELECT id, count(*) AS n FROM silver.tm_day_TWIN GROUP BY id',
    yml: 'materialisation: replace_partitions\npartition_by: ["bucket(4, id)"]\n',
  },
};

const NAMES = ['silver.tm_day', 'gold.tm_sum', 'gold.tm_last', 'gold.tm_cell', 'gold.tm_hash'];
/** By bucket: the partition of a row cannot be told in Trino's words. */
const WRITTEN_BY_DUCKDB = 'gold.tm_hash';

/** What a run did to each twin: the same, whoever ran the SQL. */
function twinReports({ models }: RunReport): [unknown, unknown][] {
  const of = (id: string) => {
    const { status, rows, partitions } = models.find(({ model }) => model === id) ?? {};
    return { status, rows, partitions };
  };
  return NAMES.map((name) => [of(`${name}_t`), of(`${name}_d`)]);
}

interface Between {
  readonly address: string;
  close(): void;
}

/** Trino behind a server that is lost for good as soon as a statement has begun that is like `last`. */
function dyingTrino(last: RegExp): Promise<Between> {
  let isLost = false;
  return betweenTrino((sql) => {
    if (isLost) return null;
    isLost = last.test(sql);
    return sql;
  });
}

/** Trino behind a server that changes what it is asked; null: the connection is cut. */
async function betweenTrino(change: (sql: string) => string | null): Promise<Between> {
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const body = change(Buffer.concat(chunks).toString());
      if (body === null) return void incoming.socket.destroy();
      const target = {
        port: testedStack().ports.trino,
        method: incoming.method,
        path: incoming.url,
        headers: { ...incoming.headers, 'content-length': Buffer.byteLength(body) },
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
    return opened.map(({ metadata }) => ({
      head: mainSnapshotId(metadata),
      refs: Object.keys(metadata.refs),
    }));
  };
  const expectTwins = async () => {
    for (const name of NAMES) {
      const rows = await project.rows(`${name}_t`);
      expect(rows).toEqual(await project.rows(`${name}_d`));
      expect(rows.length).toBeGreaterThan(0);
    }
    expect(await project.staged()).toEqual([]);
  };

  /** The statements of Trino that wrote the table's files: it names files by them. */
  const byTrino = async (id: string) => {
    const files = await tableFiles(await openTable(project.lake, parseTableName(id)));
    const queries = files.flatMap(
      ({ location }) => /\/(\d{8}_\d{6}_\d{5}_\w{5})-[^/]+$/.exec(location)?.[1] ?? [],
    );
    return new Set(queries);
  };
  /** Main's own line: one snapshot a run. */
  const line = async (id: string) => {
    const { metadata } = await openTable(project.lake, parseTableName(id));
    const head = mainSnapshotId(metadata);
    return head === null ? [] : [...ancestors(metadata, head)].map(({ summary }) => summary);
  };
  /** No snapshot lies beside main's line: an expiry by Java would take files with it that are main's. */
  const expectOneLine = async (id: string) => {
    const { metadata } = await openTable(project.lake, parseTableName(id));
    expect(Object.keys(metadata.refs)).toEqual(['main']);
    expect(metadata.snapshots).toHaveLength((await line(id)).length);
  };

  it('give the rows and write the partitions that duckdb does: at first, with more, with late rows, with fewer', async () => {
    await project.write('data/1.csv', csv(0, DAYS));
    const first = await project.run();
    expect(twinReports(first)[0]?.[0]).toEqual({ status: 'built', rows: DAYS * 2, partitions: DAYS });
    for (const [trino, duckdb] of twinReports(first)) expect(trino).toEqual(duckdb);
    await expectTwins();
    // A hundred partitions a statement.
    expect((await byTrino('silver.tm_day_t')).size).toBe(2);
    for (const name of NAMES) {
      const writes = await byTrino(`${name}_t`);
      expect([name, writes.size > 0]).toEqual([name, name !== WRITTEN_BY_DUCKDB]);
    }
    expect((await line('silver.tm_day_t')).map(({ operation }) => operation)).toEqual(['append']);
    const last = await byTrino('gold.tm_last_t');

    const idle = await project.run();
    expect(idle.models.every(({ status }) => status === 'unchanged')).toBe(true);

    await project.write('data/2.csv', csv(DAYS, 3, 5));
    await project.write('data/3-late.csv', csv(7, 2, 3));
    const more = await project.run();
    expect(twinReports(more)[0]?.[0]).toEqual({ status: 'built', rows: 14, partitions: 5 });
    expect([...(await byTrino('gold.tm_last_t'))].filter((query) => !last.has(query))).toHaveLength(1);
    for (const name of NAMES) {
      const [head, ...before] = await line(`${name}_t`);
      expect(before).toHaveLength(1);
      expect(head).toMatchObject({ operation: 'overwrite', 'lake.run-id': more.runId });
    }
    for (const [trino, duckdb] of twinReports(more)) expect(trino).toEqual(duckdb);
    await expectTwins();

    await project.both.run("DELETE FROM bronze.tm_e WHERE ts < TIMESTAMP '2001-01-03 00:00:00' OR id = 4");
    const fewer = await project.run();
    for (const [trino, duckdb] of twinReports(fewer)) expect(trino).toEqual(duckdb);
    await expectTwins();
    for (const name of NAMES) await expectOneLine(`${name}_t`);
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

  it.each([
    ['while it runs the SQL', /^INSERT INTO "lake"."lake_staging"/, csv(3, 4, 7)],
    ['while it writes to a branch', /^INSERT INTO "lake"."silver"."tm_day_t.branch_/, csv(9, 4, 11)],
    ['while it merges into a branch', /^MERGE INTO "lake"."gold"."tm_last_t.branch_/, csv(1, 30, 13)],
  ])('leave everything as it was when Trino is lost %s', async (_when, last, rows) => {
    const before = await heads();
    await project.write(`data/${rows.length}.csv`, rows);
    const trino = await dyingTrino(last);
    const select = ['bronze.tm_e', 'silver.tm_day_t', 'gold.tm_last_t'];
    try {
      await expect(project.run({ select }, trino.address)).rejects.toMatchObject({ kind: 'unavailable' });
    } finally {
      trino.close();
    }
    expect(await heads()).toEqual(before);
    expect(await project.staged()).toEqual([]);
  });

  it('are made good by the next run, after all that, and live on when Trino expires all snapshots but the last', async () => {
    await project.run();
    await expectTwins();
    for (const name of NAMES) {
      const sql = `ALTER TABLE ${name}_t EXECUTE expire_snapshots(retention_threshold => '0s')`;
      const session = { 'X-Trino-Session': 'lake.expire_snapshots_min_retention=0s' };
      await (await TrinoStatement.start(sql, session)).rest();
      expect(await line(`${name}_t`)).toHaveLength(1);
    }
    await expectTwins();
    const here = await project.rows('gold.tm_last_t');
    expect(await project.both.trinoRows('SELECT * FROM gold.tm_last_t ORDER BY 1, 2, 3')).toEqual(here);
  });

  it.each([
    ['a row less', / WHERE /, ' WHERE id NOT IN (0, 4, 8) AND ', 'rows instead of'],
    ['another value', / SELECT "ts", "id", "w", /, ' SELECT "ts", "id", "w" + 1, ', 'other values'],
  ])('are not published where Trino writes %s than its SQL gave', async (_what, part, other, says) => {
    const before = await heads();
    await project.write('data/7.csv', csv(40, 3, 4));
    const isInsert = (sql: string) => sql.startsWith('INSERT INTO "lake"."silver"."tm_day_t.branch_');
    const trino = await betweenTrino((sql) => (isInsert(sql) ? sql.replace(part, other) : sql));
    try {
      const run = project.run({ select: ['bronze.tm_e', 'silver.tm_day_t'] }, trino.address);
      await expect(run).rejects.toMatchObject({
        kind: 'unavailable',
        message: expect.stringContaining(says),
      });
    } finally {
      trino.close();
    }
    expect(await heads()).toEqual(before);
  });

  it('are written by the embedded engine where another catalog knows no branches by name', async () => {
    const before = await byTrino('silver.tm_day_t');
    await project.write('data/6.csv', csv(20, 3, 9));
    const trino = await betweenTrino((sql) => sql.replaceAll('.branch_', '.no_branch_'));
    const select = ['bronze.tm_e', 'silver.tm_day_t', 'silver.tm_day_d'];
    try {
      const report = await project.run({ select }, trino.address);
      expect(twinReports(report)[0]?.[0]).toMatchObject({ status: 'built', partitions: 6 });
    } finally {
      trino.close();
    }
    expect([...(await byTrino('silver.tm_day_t'))].filter((query) => !before.has(query))).toEqual([]);
    expect(await project.rows('silver.tm_day_t')).toEqual(await project.rows('silver.tm_day_d'));
    expect((await heads()).flatMap(({ refs }) => refs).filter((ref) => ref !== 'main')).toEqual([]);
  });

  it('leave in staging what may still be in use: what was made of late, however old its run', async () => {
    const { config } = project.lake;
    const models = await loadModels(config.modelsFolder, config.root);
    const model = models.find(({ id }) => id === 'gold.tm_sum_t');
    if (model === undefined) throw new Error('no model');
    const columns = [{ name: 'id', type: 'long' }] as const;
    const now = new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, '').toLowerCase();
    const used = [
      await createStaging(project.lake, model, '20010101t000000_0123abcd', columns),
      await createStaging(project.lake, model, `${now}_0123abcd`, columns),
    ].map(({ identifier }) => identifier);
    const warnings: string[] = [];
    await project.run({ warn: (message) => warnings.push(message) });
    expect(warnings).toEqual([]);
    expect((await project.staged()).sort()).toEqual(used.map(({ name }) => name).sort());
    for (const identifier of used) await project.lake.catalog.dropTable(identifier);
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
