/**
 * What one commit to a table of 10, 1,000 and 10,000 snapshots costs the catalog, by itself: metadata in memory, one client in the same process. Processor time of this
 * process, with what the client takes to receive the answer.
 *
 *     node bench/catalog-commit-cost.ts [SNAPSHOTS…]      (default 10 1000 10000)
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { buildCatalogApp } from '../catalog/app.ts';
import { openCatalogStore } from '../catalog/store/open-store.ts';
import { systemClock } from '../src/clock.ts';
import { parseJson, stringifyJson } from '../src/iceberg/json.ts';
import { tableMetadataOf } from '../src/iceberg/metadata-json.ts';
import { MemoryStore } from '../src/storage/memory.ts';
import { appends, SCHEMA } from './catalog-tables.ts';
import { median, printFigures, rounded } from './figures.ts';

const COMMITS = 40;
const WARM_UP = 10;
const NONE = Buffer.alloc(0);

type Method = 'GET' | 'POST';

/** Reads the answer's bytes and does nothing with them but where they are wanted: what is measured is the catalog. */
function ask(url: string, method: Method, body?: object): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const chunks: Buffer[] = [];
  const asked = request(url, { method, headers: { 'content-type': 'application/json' } }, (answer) => {
    answer.on('data', (chunk: Buffer) => chunks.push(chunk));
    answer.on('end', () => {
      if ((answer.statusCode ?? 500) < 300)
        resolve(chunks.length === 1 ? (chunks[0] ?? NONE) : Buffer.concat(chunks));
      else reject(new Error(`${method} ${url}: ${answer.statusCode} ${Buffer.concat(chunks)}`));
    });
  });
  asked.on('error', reject);
  asked.end(body === undefined ? '' : stringifyJson(body));
  return promise;
}

/** Milliseconds of processor time and of the clock that each of some pieces of work took. */
async function costs(work: (at: number) => Promise<unknown>): Promise<{ cpu: number; wall: number }> {
  const [cpus, walls]: [number[], number[]] = [[], []];
  for (let at = 0; at < WARM_UP + COMMITS; at++) {
    const [began, cpu] = [performance.now(), process.cpuUsage()];
    await work(at);
    const { user, system } = process.cpuUsage(cpu);
    if (at < WARM_UP) continue;
    cpus.push((user + system) / 1000);
    walls.push(performance.now() - began);
  }
  return { cpu: median(cpus), wall: median(walls) };
}

async function measure(snapshots: number, codec: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'lake-bench-cost-'));
  const warehouse = 'memory://bench/hot';
  const store = await openCatalogStore(join(folder, 'catalog.db'), systemClock);
  const app = buildCatalogApp({ store, objects: new MemoryStore(), clock: systemClock, warehouse });
  try {
    const origin = await app.listen({ port: 0, host: '127.0.0.1' });
    const table = `${origin}/v1/namespaces/bench/tables/table`;
    await ask(`${origin}/v1/namespaces`, 'POST', { namespace: ['bench'] });
    const properties = { 'write.metadata.compression-codec': codec };
    const made = await ask(`${origin}/v1/namespaces/bench/tables`, 'POST', {
      name: 'table',
      schema: SCHEMA,
      properties,
    });
    const { metadata } = parseJson(made.toString()) as { metadata: { location: string } };
    for (let from = 1; from <= snapshots; from += 1000) {
      await ask(table, 'POST', appends(metadata.location, from, Math.min(snapshots, from + 999)));
    }
    const property = await costs((at) =>
      ask(table, 'POST', {
        requirements: [],
        updates: [{ action: 'set-properties', updates: { at: `${at}` } }],
      }),
    );
    let last = snapshots;
    const append = await costs(() => {
      last++;
      return ask(table, 'POST', appends(metadata.location, last, last));
    });
    const whole = await ask(table, 'GET');
    const load = await costs(() => ask(table, 'GET'));
    const refs = await costs(() => ask(`${table}?snapshots=refs`, 'GET'));
    const parse = await costs(async () => {
      const { metadata: read } = parseJson(whole.toString()) as { metadata: unknown };
      return tableMetadataOf(read);
    });
    printFigures({
      bench: 'catalog-commit-cost',
      snapshots,
      codec,
      property_commit_cpu_ms: rounded(property.cpu),
      property_commit_ms: rounded(property.wall),
      append_cpu_ms: rounded(append.cpu),
      append_ms: rounded(append.wall),
      load_cpu_ms: rounded(load.cpu),
      load_refs_cpu_ms: rounded(refs.cpu),
      parse_cpu_ms: rounded(parse.cpu),
      answer_bytes: whole.length,
      gzipped_bytes: gzipSync(whole, { level: 1 }).length,
      rss_mb: Math.round(process.resourceUsage().maxRSS / 1000),
    });
  } finally {
    await app.close();
    await rm(folder, { recursive: true, force: true });
  }
}

const sizes = process.argv.slice(2).map(Number);
for (const snapshots of sizes.length > 0 ? sizes : [10, 1000, 10_000]) {
  for (const codec of ['none', 'gzip']) await measure(snapshots, codec);
}
