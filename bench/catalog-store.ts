import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { openSqlDatabase } from '../catalog/store/open-store.ts';
import { SqlStore } from '../catalog/store/sql-store.ts';
import { systemClock } from '../src/clock.ts';
import { startPostgres } from '../test/postgres/server.ts';

/**
 * `node bench/catalog-store.ts [--clients 32] [--seconds 5]`: pointer compare-and-sets a second of the catalog's store alone, each client on
 * a table of its own, beside a bare loop of the same UPDATE and COMMIT by one client on the same database.
 */
const { values } = parseArgs({
  options: { clients: { type: 'string', default: '1,8,32' }, seconds: { type: 'string', default: '5' } },
});
const clientCounts = values.clients.split(',').map(Number);
const forMs = Number(values.seconds) * 1000;

interface Pace {
  readonly perSecond: number;
  /** ms */
  readonly p99: number;
}

/** Runs each client's steps one after the other until the time is over. */
async function paceOf(clients: number, step: (client: number, at: number) => Promise<void>): Promise<Pace> {
  const until = performance.now() + forMs;
  const tookMs: number[] = [];
  const began = performance.now();
  const client = async (who: number) => {
    for (let at = 0; performance.now() < until; at++) {
      const before = performance.now();
      await step(who, at);
      tookMs.push(performance.now() - before);
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, who) => client(who)));
  const seconds = (performance.now() - began) / 1000;
  tookMs.sort((a, b) => a - b);
  return { perSecond: tookMs.length / seconds, p99: tookMs[Math.floor(tookMs.length * 0.99)] ?? Number.NaN };
}

async function measure(name: string, place: string, bare: () => Promise<Pace>): Promise<void> {
  const store = new SqlStore(await openSqlDatabase(place, systemClock));
  const most = Math.max(...clientCounts);
  await store.createNamespace(['n'], {});
  for (let who = 0; who < most; who++) {
    const pointer = { namespace: ['n'], name: `t${who}`, uuid: `u${who}`, metadataLocation: 'm0' };
    await store.changePointers([{ ...pointer, expected: null }]);
  }
  const at = new Map<number, number>();
  const commit = async (who: number) => {
    const count = at.get(who) ?? 0;
    at.set(who, count + 1);
    const table = { namespace: ['n'], name: `t${who}`, uuid: `u${who}` };
    await store.changePointers([{ ...table, expected: `m${count}`, metadataLocation: `m${count + 1}` }]);
  };
  const alone = await bare();
  console.log(`${name}, bare UPDATE and COMMIT: ${figures(alone)}`);
  for (const clients of clientCounts) {
    const pace = await paceOf(clients, commit);
    const ratio = (pace.perSecond / alone.perSecond).toFixed(2);
    console.log(`${name}, ${clients} clients: ${figures(pace)}, ${ratio} of the bare loop`);
  }
  const reads = await paceOf(most, async (who) => {
    await store.findTable({ namespace: ['n'], name: `t${who}` });
  });
  console.log(`${name}, ${most} readers: ${figures(reads)}`);
  await store.close();
}

const figures = ({ perSecond, p99 }: Pace): string => `${perSecond.toFixed(0)}/s, p99 ${p99.toFixed(1)} ms`;

async function bareSqlite(path: string): Promise<Pace> {
  const { DatabaseSync } = await import('node:sqlite');
  const database = new DatabaseSync(path);
  database.exec(
    'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE IF NOT EXISTS bare (id INTEGER PRIMARY KEY, at TEXT)',
  );
  database.exec("INSERT INTO bare VALUES (1, 'm')");
  const update = database.prepare('UPDATE bare SET at = ? WHERE id = 1');
  const pace = await paceOf(1, async (_, at) => {
    database.exec('BEGIN IMMEDIATE');
    update.run(`m${at}`);
    database.exec('COMMIT');
  });
  database.close();
  return pace;
}

async function barePostgres(url: string): Promise<Pace> {
  const client = new pg.Client(url);
  await client.connect();
  await client.query("CREATE TABLE bare (id BIGINT PRIMARY KEY, at TEXT); INSERT INTO bare VALUES (1, 'm')");
  const pace = await paceOf(1, async (_, at) => {
    await client.query('BEGIN');
    await client.query({ name: 'u', text: 'UPDATE bare SET at = $1 WHERE id = 1', values: [`m${at}`] });
    await client.query('COMMIT');
  });
  await client.end();
  return pace;
}

const folder = await mkdtemp(join(tmpdir(), 'lake-bench-'));
const server = await startPostgres();
try {
  await measure('SQLite', join(folder, 'catalog.db'), () => bareSqlite(join(folder, 'bare.db')));
  await measure('PostgreSQL', `${server.url}?schema=bench_${process.pid}`, () => barePostgres(server.url));
} finally {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}
