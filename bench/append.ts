/**
 * Appends of 10,000 rows by a writer that is kept open, beside PyIceberg's `Table.append` of the same rows, both through one catalog served over HTTP
 * (`lake catalog serve`) to local files; turn by turn, so that both meet the same machine:
 *
 *     LAKE_PYTHON=python3 node bench/append.ts [COMMITS]      (default 1000; PyIceberg makes as many, up to 200)
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { RestCatalog } from '../src/catalog-client/rest-client.ts';
import { systemClock } from '../src/clock.ts';
import { openDuckDb } from '../src/engine/duckdb.ts';
import { LocalStore } from '../src/storage/local.ts';
import { appendSelect } from '../src/table/append.ts';
import { openTable } from '../src/table/table.ts';
import { median, printFigures, python, quantile, rounded } from './figures.ts';
import { FLIGHTS } from './flights-source.ts';

const MAIN = resolve(import.meta.dirname, '../src/cli/main.ts');
const ROWS = 10_000;
const PEER_COMMITS = 200;
const MARK = { ratio: 2.5 };
const schema = (name: string) => ({
  name,
  schema: {
    type: 'struct' as const,
    'schema-id': 0,
    fields: [
      { id: 1, name: 'date', required: false, type: 'timestamp' as const },
      { id: 2, name: 'delay', required: false, type: 'int' as const },
      { id: 3, name: 'distance', required: false, type: 'int' as const },
      { id: 4, name: 'origin', required: false, type: 'string' as const },
      { id: 5, name: 'destination', required: false, type: 'string' as const },
    ],
  },
});

/** Appends once for each line it is sent, and answers with wall clock and CPU in ms. */
const PEER = `
import json, sys, time
import pyarrow.parquet as pq
from pyiceberg.catalog import load_catalog
table = load_catalog('lake', type='rest', uri=sys.argv[1]).load_table('bench.pyiceberg')
rows = pq.read_table(sys.argv[2])
print('ready', flush=True)
for line in sys.stdin:
    began, cpu = time.perf_counter(), time.process_time()
    table.append(rows)
    print(json.dumps([(time.perf_counter() - began) * 1000, (time.process_time() - cpu) * 1000]), flush=True)
`;

/** A process that is spoken to line by line. */
class Lines {
  readonly process: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(process: ChildProcess, stream: NodeJS.ReadableStream | null) {
    this.process = process;
    if (stream === null) throw new Error('the process has no output');
    this.#lines = createInterface(stream)[Symbol.asyncIterator]();
  }

  async next(): Promise<string> {
    const line = await this.#lines.next();
    if (line.done === true) throw new Error('the process ended');
    return line.value;
  }

  async ask(): Promise<string> {
    this.process.stdin?.write('\n');
    return this.next();
  }

  async stop(): Promise<void> {
    const ended = once(this.process, 'exit');
    this.process.kill('SIGTERM');
    await ended;
  }
}

async function serve(folder: string): Promise<{ server: Lines; uri: string }> {
  const text =
    'version: 1\nname: bench\ntimezone: UTC\nwarehouse: ./warehouse\ncatalog: { embedded: ./catalog.db }\n';
  await writeFile(join(folder, 'lake.yaml'), text);
  await mkdir(join(folder, 'models'), { recursive: true });
  const args = [
    '--disable-warning=ExperimentalWarning',
    MAIN,
    '-C',
    folder,
    'catalog',
    'serve',
    '--port',
    '0',
  ];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const server = new Lines(child, child.stderr);
  for (;;) {
    const line = await server.next();
    const uri = /http:\S+/.exec(line)?.[0];
    if (uri !== undefined) return { server, uri };
  }
}

/** Wall clock and CPU of this process, in ms. */
type Times = readonly [ms: number, cpuMs: number];

async function timed(work: () => Promise<unknown>): Promise<Times> {
  const [began, cpu] = [performance.now(), process.cpuUsage()];
  await work();
  const used = process.cpuUsage(cpu);
  return [performance.now() - began, (used.user + used.system) / 1000];
}

const commits = Number(process.argv[2] ?? 1000);
const folder = await mkdtemp(join(tmpdir(), 'lake-bench-append-'));
const { server, uri } = await serve(folder);
const engine = await openDuckDb({ tempDirectory: join(folder, 'spill') });
const catalog = new RestCatalog({ uri });
const context = { catalog, objects: new LocalStore(), clock: systemClock };
let peer: Lines | undefined;
try {
  await catalog.createNamespace(['bench']);
  for (const name of ['lakewarden', 'pyiceberg']) await catalog.createTable(['bench'], schema(name));
  // Both hold the rows in memory before the clock runs.
  const file = join(folder, 'rows.parquet');
  await engine.run(
    `CREATE TABLE batch AS SELECT CAST(date AS TIMESTAMP) AS date, CAST(delay AS INT) AS delay, CAST(distance AS INT) AS distance, origin, destination
    FROM read_parquet('${FLIGHTS}') LIMIT ${ROWS}`,
  );
  await engine.run(`COPY batch TO '${file}' (FORMAT parquet)`);
  const child = spawn(python(), ['-c', PEER, uri, file], { stdio: ['pipe', 'pipe', 'inherit'] });
  peer = new Lines(child, child.stdout);
  await peer.next();
  const identifier = { namespace: ['bench'], name: 'lakewarden' };
  // Both keep the table that their last commit left, as a writer that stays open does.
  let table = await openTable(context, identifier);
  const append = async () => {
    ({ table } = await appendSelect(context, engine, identifier, { sql: 'SELECT * FROM batch', table }));
  };
  const [ours, theirs]: [Times[], Times[]] = [[], []];
  // PyIceberg's turns are spread over the run.
  const every = Math.max(1, Math.floor(commits / PEER_COMMITS));
  for (let commit = 0; commit < commits; commit++) {
    ours.push(await timed(append));
    if (commit % every === 0) theirs.push(JSON.parse(await peer.ask()) as Times);
  }
  const { metadata } = await catalog.loadTable(identifier);
  if (metadata.snapshots.length !== commits) throw new Error(`${metadata.snapshots.length} snapshots`);
  // PyIceberg's table is young: its first commits stand beside our first ones, and again all beside all.
  const tenth = Math.max(1, Math.floor(Math.min(100, commits / 2)));
  const wall = (times: readonly Times[]): number[] => times.map(([ms]) => ms);
  const cpu = (times: readonly Times[]): number[] => times.map(([, ms]) => ms);
  const [first, last] = [ours.slice(0, tenth), ours.slice(-tenth)];
  printFigures({
    bench: 'append',
    rows: ROWS,
    commits,
    pyiceberg_commits: theirs.length,
    ours_p50_ms: rounded(median(wall(ours)), 1),
    ours_p95_ms: rounded(quantile(wall(ours), 0.95), 1),
    ours_cpu_p50_ms: rounded(median(cpu(ours)), 1),
    pyiceberg_p50_ms: rounded(median(wall(theirs)), 1),
    pyiceberg_p95_ms: rounded(quantile(wall(theirs), 0.95), 1),
    pyiceberg_cpu_p50_ms: rounded(median(cpu(theirs)), 1),
    ratio_p50: rounded(median(wall(theirs)) / median(wall(ours))),
    cpu_ratio_p50: rounded(median(cpu(theirs)) / median(cpu(ours))),
    first_100_p50_ms: rounded(median(wall(first)), 1),
    last_100_p50_ms: rounded(median(wall(last)), 1),
    first_100_cpu_p50_ms: rounded(median(cpu(first)), 1),
    last_100_cpu_p50_ms: rounded(median(cpu(last)), 1),
    last_to_first: rounded(median(wall(last)) / median(wall(first))),
    cpu_last_to_first: rounded(median(cpu(last)) / median(cpu(first))),
    mark: MARK,
  });
} finally {
  await peer?.stop();
  await catalog.close();
  await engine.close();
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}
