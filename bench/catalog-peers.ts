import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '../test/free-port.ts';
import type { S3Server } from '../test/stack/s3-server.ts';

const run = promisify(execFile);
const HERE = import.meta.dirname;
const MAIN = join(HERE, '../src/cli/main.ts');
const CACHE = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'lakewarden', 'bench');
const DEPENDENCY = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1';
const NESSIE = { group: 'org.projectnessie.nessie', name: 'nessie-quarkus', version: '0.99.0' };
/** Java of the newest Nessie runners. */
const NEWEST_JAVA = /^(temurin-25|java-25|jdk-25)/;

/** A catalog server that runs in a process of its own, its metadata in the bucket given. */
export interface CatalogProcess {
  /** `http://host:port/…`, what `/v1/config` follows. */
  readonly uri: string;
  readonly pid: number;
  close(): Promise<void>;
}

export interface Place {
  readonly s3: S3Server;
  readonly bucket: string;
  /** An empty folder of its own. */
  readonly folder: string;
}

export type CatalogName = 'lakewarden' | 'lakewarden-postgres' | 'reference' | 'nessie';

/** How each catalog is started. */
export const CATALOGS: Readonly<Record<CatalogName, (place: Place) => Promise<CatalogProcess>>> = {
  lakewarden: (place) => startLake(place, './.lake/catalog.db'),
  'lakewarden-postgres': (place) => startLake(place, process.env['LAKE_POSTGRES_URL'] ?? ''),
  reference: startReference,
  nessie: startNessie,
};

async function startLake(place: Place, embedded: string): Promise<CatalogProcess> {
  const { endpoint, accessKeyId, secretAccessKey } = place.s3.settings;
  await writeFile(
    join(place.folder, 'lake.yaml'),
    `version: 1
name: bench
warehouse: s3://${place.bucket}
storage: { endpoint: "${endpoint}", region: us-east-1, path_style: true, access_key_id: "${accessKeyId}", secret_access_key: "${secretAccessKey}" }
catalog: { embedded: "${embedded}", serve: { log: { level: warn } } }
tiers: { hot: { location: "{warehouse}/hot" } }
`,
  );
  const port = await freePort();
  const profile = process.env['LAKE_BENCH_PROFILE'];
  const options = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`];
  const words = [...options, '--disable-warning=ExperimentalWarning', MAIN, 'catalog', 'serve'];
  const child = spawn(process.execPath, [...words, '--port', `${port}`], {
    cwd: place.folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return answering(child, `http://127.0.0.1:${port}`);
}

async function startReference({ s3, bucket, folder }: Place): Promise<CatalogProcess> {
  const port = await freePort();
  const { endpoint, region = '', accessKeyId = '', secretAccessKey = '' } = s3.settings;
  const child = spawn(
    'java',
    ['-cp', await referenceClasspath(), 'org.apache.iceberg.rest.RESTCatalogServer'],
    {
      cwd: folder,
      env: {
        ...process.env,
        CATALOG_REST_PORT: `${port}`,
        CATALOG_CATALOG__IMPL: 'org.apache.iceberg.jdbc.JdbcCatalog',
        CATALOG_URI: `jdbc:sqlite:${join(folder, 'catalog.db')}?journal_mode=WAL&busy_timeout=15000`,
        CATALOG_JDBC_SCHEMA__VERSION: 'V1',
        CATALOG_WAREHOUSE: `s3://${bucket}/reference`,
        CATALOG_IO__IMPL: 'org.apache.iceberg.aws.s3.S3FileIO',
        CATALOG_S3_ENDPOINT: endpoint,
        CATALOG_S3_PATH__STYLE__ACCESS: 'true',
        CATALOG_S3_ACCESS__KEY__ID: accessKeyId,
        CATALOG_S3_SECRET__ACCESS__KEY: secretAccessKey,
        AWS_REGION: region,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  return answering(child, `http://127.0.0.1:${port}`);
}

/** The jars, as Maven finds and checks them for the pinned versions; kept by the pom's digest. */
async function referenceClasspath(): Promise<string> {
  const pom = join(HERE, 'catalog-peers', 'pom.xml');
  const digest = createHash('sha256')
    .update(await readFile(pom))
    .digest('hex');
  const kept = join(CACHE, `reference-${digest}.txt`);
  if (!existsSync(kept)) {
    await mkdir(CACHE, { recursive: true });
    const fresh = `${kept}.${process.pid}`;
    await run('mvn', [
      '-B',
      '-q',
      '-C',
      '-f',
      pom,
      `${DEPENDENCY}:build-classpath`,
      `-Dmdep.outputFile=${fresh}`,
    ]);
    await rename(fresh, kept);
  }
  return (await readFile(kept, 'utf8')).trim();
}

async function startNessie({ s3, bucket, folder }: Place): Promise<CatalogProcess> {
  const [port, management] = [await freePort(), await freePort()];
  const { endpoint, region, accessKeyId, secretAccessKey } = s3.settings;
  const store = 'nessie.catalog.service.s3.default-options';
  const settings = {
    'quarkus.http.host': '127.0.0.1',
    'quarkus.http.port': port,
    'quarkus.management.port': management,
    'nessie.server.authentication.enabled': false,
    'nessie.version.store.type': 'ROCKSDB',
    'nessie.version.store.persist.rocks.database-path': join(folder, 'rocks'),
    'nessie.catalog.default-warehouse': 'bench',
    'nessie.catalog.warehouses.bench.location': `s3://${bucket}/nessie`,
    [`${store}.endpoint`]: endpoint,
    [`${store}.region`]: region,
    [`${store}.path-style-access`]: true,
    [`${store}.access-key`]: 'urn:nessie-secret:quarkus:bench.s3',
    'bench.s3.name': accessKeyId,
    'bench.s3.secret': secretAccessKey,
  };
  const words = Object.entries(settings).map(([name, value]) => `-D${name}=${value}`);
  const child = spawn(await newestJava(), [...words, '-jar', await nessieRunner()], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return answering(child, `http://127.0.0.1:${port}/iceberg`);
}

/** The runner's path in Maven's own repository, fetched and checked first if it is not there. */
async function nessieRunner(): Promise<string> {
  const { group, name, version } = NESSIE;
  const repository = join(homedir(), '.m2', 'repository');
  const path = join(repository, ...group.split('.'), name, version, `${name}-${version}-runner.jar`);
  if (!existsSync(path)) {
    const artifact = `-Dartifact=${group}:${name}:${version}:jar:runner`;
    await run('mvn', ['-B', '-q', '-C', `${DEPENDENCY}:get`, artifact, '-Dtransitive=false']);
  }
  return path;
}

/** Java 25: what `LAKE_JAVA_25` names, else one that stands beside the default Java, else the default. */
async function newestJava(): Promise<string> {
  const named = process.env['LAKE_JAVA_25'];
  if (named !== undefined && named !== '') return named;
  const { stdout } = await run('sh', ['-c', 'readlink -f "$(command -v java)"']);
  const home = dirname(dirname(stdout.trim()));
  const found = (await readdir(dirname(home))).find((name) => NEWEST_JAVA.test(name));
  return found === undefined ? 'java' : join(dirname(home), found, 'bin', 'java');
}

async function answering(child: ChildProcess, uri: string): Promise<CatalogProcess> {
  let said = '';
  const hear = (chunk: Buffer): void => {
    said = (said + chunk.toString()).slice(-10_000);
  };
  child.stdout?.on('data', hear);
  child.stderr?.on('data', hear);
  for (let attempt = 0; attempt < 1200; attempt++) {
    if (child.exitCode !== null) throw new Error(`the catalog ended with ${child.exitCode}: ${said}`);
    const answer = await fetch(`${uri}/v1/config`).catch(() => undefined);
    if (answer?.ok === true) return { uri, pid: child.pid ?? 0, close: () => stopped(child) };
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await stopped(child);
  throw new Error(`the catalog does not answer: ${said}`);
}

async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await ended;
}
