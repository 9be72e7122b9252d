import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { postgresMissing, startPostgres } from '../../postgres/server.ts';
import { type RckTotals, readTotals } from './totals.ts';

/**
 * `npm run test:rck [-- sqlite|postgres]`: Iceberg's REST compatibility kit against `lake catalog serve` on SQLite and on PostgreSQL, with its
 * switches at their strictest. The last line is the sum, for `.ci/run`.
 *
 * Needs Java 17 and Maven, and PostgreSQL (`test/postgres/server.ts`), which is left out where there is none, but not in CI. The classpath is resolved once into a cache outside of the checkout (LAKE_RCK_CACHE, else
 * ~/.cache/lakewarden-rck). LAKE_RCK_URI tests a server that runs already. Fails on any failure, and on an aborted test that
 * `docs/catalog.md` does not explain.
 */
const HERE = import.meta.dirname;
const MAIN = join(HERE, '../../../src/cli/main.ts');
const CACHE = process.env['LAKE_RCK_CACHE'] ?? join(homedir(), '.cache', 'lakewarden-rck');
const SWITCHES = ['requires-namespace-create', 'supports-serverside-retry', 'supports-names-with-dot'];
/** Assumptions of the kit that no server can change: its client's class says so, whatever the catalog does. */
const EXPLAINED: ReadonlySet<string> = new Set([
  'createAndDropEmptyNamespace',
  'listNamespacesWithEmptyNamespace',
  'listTablesInEmptyNamespace',
  'listViewsInEmptyNamespace',
  'namespacePropertiesOnEmptyNamespace',
  'testDropNamespaceWithNestedNamespace',
  'testListNestedNamespaces',
  'testNamespaceWithSlash',
  'testTableNameWithSlash',
]);

const folder = mkdtempSync(join(tmpdir(), 'lake-rck-'));
const servers: ChildProcess[] = [];
const databases: { stop(): Promise<void> }[] = [];
try {
  const classpath = await resolveClasspath();
  const sums: Judgement[] = [];
  for (const [store, uri] of await addresses()) {
    const report = await runKit(classpath, await uri());
    sums.push(judge(store, report));
    for (const server of servers.splice(0)) await stop(server);
  }
  const sum = (what: (one: Judgement) => number) => sums.reduce((total, one) => total + what(one), 0);
  console.log(
    `${sum((one) => one.passed)} passed, ${sum((one) => one.failed)} failed, ${sum((one) => one.aborted.length)} aborted, ${sum((one) => one.skipped)} skipped`,
  );
  process.exitCode = sums.length > 0 && sums.every((one) => one.isGood) ? 0 : 1;
} finally {
  for (const server of servers) await stop(server);
  for (const database of databases) await database.stop();
  rmSync(folder, { recursive: true, force: true });
}

/** The catalogs to test, by their stores, and how their addresses are come by. */
async function addresses(): Promise<readonly (readonly [string, () => Promise<string>])[]> {
  const given = process.env['LAKE_RCK_URI'];
  if (given !== undefined) return [[given, async () => given]];
  const wanted = process.argv.slice(2);
  const isWanted = (store: string) => wanted.length === 0 || wanted.includes(store);
  const sqlite = ['SQLite', () => serve(join(folder, 'sqlite'))] as const;
  const postgres = ['PostgreSQL', async () => serve(join(folder, 'postgres'), await databaseUrl())] as const;
  const missing = isWanted('postgres') ? postgresMissing() : null;
  if (missing !== null) console.error(`Left out on PostgreSQL: ${missing}`);
  return [
    ...(isWanted('sqlite') ? [sqlite] : []),
    ...(isWanted('postgres') && missing === null ? [postgres] : []),
  ];
}

/** A catalog of its own in PostgreSQL. */
async function databaseUrl(): Promise<string> {
  const database = await startPostgres();
  databases.push(database);
  return `${database.url}?schema=rck_${process.pid}`;
}

/** The jars, as Maven finds them for the pinned versions; kept by the pom's digest. */
async function resolveClasspath(): Promise<string> {
  const pom = join(HERE, 'pom.xml');
  const kept = join(CACHE, `classpath-${createHash('sha256').update(readFileSync(pom)).digest('hex')}.txt`);
  if (!existsSync(kept)) {
    mkdirSync(CACHE, { recursive: true });
    const fresh = `${kept}.${process.pid}`;
    const goal = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:build-classpath';
    const log = await run('mvn', ['-B', '-q', '-f', pom, goal, `-Dmdep.outputFile=${fresh}`]);
    if (log.code !== 0) throw new Error(`Maven found no classpath:\n${log.text}`);
    renameSync(fresh, kept);
  }
  return readFileSync(kept, 'utf8').trim();
}

/** Starts a catalog of its own on a free port, in a database if one is given; its address. */
async function serve(project: string, database?: string): Promise<string> {
  const made = await run(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, 'init', project]);
  if (made.code !== 0) throw new Error(`lake init failed:\n${made.text}`);
  const words = ['--disable-warning=ExperimentalWarning', MAIN, 'catalog', 'serve', '--port', '0'];
  const env = {
    ...process.env,
    // Where the kit's own tables and views are to lie.
    LAKE_CATALOG__SERVE__ALLOWED_LOCATIONS: '["file:///tmp"]',
    ...(database === undefined ? {} : { LAKE_CATALOG__EMBEDDED: database }),
  };
  const server = spawn(process.execPath, words, { cwd: project, env, stdio: ['ignore', 'pipe', 'pipe'] });
  servers.push(server);
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let said = '';
  const hear = (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-10_000);
    const address = /https?:\/\/[\w.:[\]]+/.exec(said);
    if (address !== null) resolve(address[0]);
  };
  server.stdout?.on('data', hear);
  server.stderr?.on('data', hear);
  server.once('exit', (code) => reject(new Error(`the catalog ended with ${code}:\n${said}`)));
  return promise;
}

async function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const ended = new Promise((resolve) => server.once('exit', resolve));
  server.kill('SIGTERM');
  await ended;
}

async function runKit(classpath: string, uri: string): Promise<string> {
  const { text } = await run('java', [
    '-Drck.local=false',
    `-Duri=${uri}/`,
    '-Dwarehouse=rck',
    ...SWITCHES.map((name) => `-Drck.${name}=true`),
    '-cp',
    classpath,
    'org.junit.platform.console.ConsoleLauncher',
    'execute',
    '--select-class=org.apache.iceberg.rest.RESTCompatibilityKitSuite',
    '--details=tree',
    '--disable-banner',
    '--disable-ansi-colors',
  ]);
  return text;
}

interface Judgement extends RckTotals {
  readonly isGood: boolean;
}

function judge(store: string, report: string): Judgement {
  const totals = readTotals(report);
  const { passed, failed, skipped, failures, aborted } = totals;
  const surprising = aborted.filter((name) => !EXPLAINED.has(name));
  const isGood = failed === 0 && surprising.length === 0 && passed > 0;
  if (!isGood) {
    const kept = join(CACHE, `last-report-${store.replaceAll(/\W/g, '-')}.txt`);
    writeFileSync(kept, report);
    console.error(`The kit's whole report is in ${kept}`);
  }
  for (const name of failures) console.error(`${store}, failed: ${name}`);
  for (const name of aborted)
    console.error(`${store}, aborted${EXPLAINED.has(name) ? '' : ' for no known reason'}: ${name}`);
  console.log(`${store}: ${passed} passed, ${failed} failed, ${aborted.length} aborted, ${skipped} skipped`);
  return { ...totals, isGood };
}

/** Runs a program to its end; what it wrote to standard output, or all of it if it failed. */
async function run(program: string, words: readonly string[]): Promise<{ code: number; text: string }> {
  const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let errors = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    errors = (errors + chunk.toString()).slice(-10_000);
  });
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  child.once('error', reject);
  child.once('close', (code) => resolve(code ?? 1));
  const code = await promise;
  return { code, text: out === '' ? errors : out };
}
