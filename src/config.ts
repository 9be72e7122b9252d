import { dirname, join, relative, resolve } from 'node:path';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { LakeError } from './errors.ts';
import { type ServeConfig, serveConfig, serveFile, serveProblems } from './project/serve-config.ts';
import { isS3, sizeBytes, storageFile, storageProblems, storageSettings } from './project/storage-config.ts';
import { readTextFile } from './project/text-file.ts';
import { type ParsedYaml, type Problem, parseYamlFile, throwProblems } from './project/yaml-file.ts';
import type { S3Settings } from './storage/s3-settings.ts';

/** A tier: a prefix of storage; below it lies `<namespace>/<table>-<table uuid>/`. */
export interface Tier {
  readonly name: string;
  /** Full location without a trailing slash: `file:///abs/path`, `s3://bucket/prefix`. */
  readonly location: string;
  /** Of objects that come into the tier, on S3. */
  readonly storageClass?: string;
  /** The S3 server that holds this tier, if it is not the lake's. */
  readonly storage?: S3Settings;
}

export type CatalogConfig =
  | { readonly kind: 'embedded'; readonly database: string }
  | {
      readonly kind: 'rest';
      readonly uri: string;
      readonly warehouse?: string;
      readonly token?: string;
      readonly credential?: string;
    };

/** `lake.yaml`, checked, with every path absolute. */
export interface LakeConfig {
  /** The project's folder. */
  readonly root: string;
  /** The path of lake.yaml. */
  readonly file: string;
  readonly name: string;
  readonly timezone: string;
  readonly warehouse: string;
  /** How the lake's S3 server is reached, if it has any `s3://` location. */
  readonly storage: S3Settings;
  readonly catalog: CatalogConfig;
  /** How `lake catalog serve` serves an embedded one. */
  readonly serve: ServeConfig;
  /** Hottest first, never empty; new tables are born in the first. */
  readonly tiers: readonly Tier[];
  readonly policiesFolder: string;
  readonly modelsFolder: string;
  readonly pricesFile?: string;
  /** Limits of the embedded SQL engine; `memoryLimit` as DuckDB writes it, e.g. `1GB`; files from S3 are kept in `cache`. */
  readonly engine: {
    readonly memoryLimit?: string;
    readonly threads?: number;
    readonly cache?: { readonly folder: string; readonly sizeBytes: number };
  };
  /** The Trino server that serves this lake, and what it calls it. */
  readonly trino?: {
    /** `http://host:port` */
    readonly server: string;
    readonly catalog: string;
    readonly user: string;
    readonly password?: string;
  };
}

const catalog = z.strictObject({
  embedded: z.string().min(1).optional(),
  uri: z.string().min(1).optional(),
  warehouse: z.string().optional(),
  token: z.string().optional(),
  credential: z.string().optional(),
  serve: serveFile.optional(),
});

const lakeFile = z
  .strictObject({
    version: z.literal(1),
    name: z.string().regex(/^[A-Za-z0-9_-]+$/, 'letters, digits, _ and - only'),
    timezone: z.string().default('UTC'),
    warehouse: z.string().min(1),
    catalog,
    storage: storageFile.optional(),
    tiers: z
      .record(
        z.string().regex(/^[a-z][a-z0-9_-]*$/, 'a tier name is lower-case letters, digits, _ and -'),
        z.strictObject({
          location: z.string().min(1),
          storage_class: z
            .string()
            .regex(/^[A-Z][A-Z0-9_]*$/, 'a storage class such as STANDARD_IA')
            .optional(),
          storage: storageFile.optional(),
        }),
      )
      .optional(),
    prices: z.string().optional(),
    policies: z.string().default('./policies'),
    trino: z
      .strictObject({
        server: z.string().regex(/^https?:\/\/[^/]+\/?$/, 'an address such as http://localhost:8080'),
        catalog: z.string().regex(/^[a-z0-9_]+$/, 'the name of a catalog in Trino, such as lake'),
        user: z.string().min(1).optional(),
        password: z.string().min(1).optional(),
      })
      .optional(),
    engine: z
      .strictObject({
        memory_limit: z
          .string()
          .regex(/^\d+(\.\d+)?\s*[KMGT]i?B$/, 'a size such as 1GB')
          .optional(),
        threads: z.int().min(1).optional(),
        cache_size: z
          .string()
          .regex(/^\d+(\.\d+)?\s*[KMGT]?i?B$/, 'a size such as 4GB')
          .optional(),
      })
      .optional(),
  })
  .meta({
    title: 'Lakewarden project file',
    description: 'lake.yaml: where a lake lies and how it is reached',
  });

type LakeFile = z.infer<typeof lakeFile>;
type Environment = Readonly<Record<string, string | undefined>>;

const FILE_NAME = 'lake.yaml';
const DEFAULT_CACHE_SIZE = '4GB';

/** The JSON Schema of lake.yaml, as `schemas/lake.schema.json` holds it for editors. */
export function lakeJsonSchema(): unknown {
  return z.toJSONSchema(lakeFile, { io: 'input' });
}

/**
 * Finds `lake.yaml` in `dir` or above it, checks it and resolves its paths. `LAKE_<KEY>` of the environment
 * overrides a key, `__` leads into a nested one (`LAKE_CATALOG__URI`).
 *
 * @throws LakeError `usage` where there is no lake.yaml, `invalid-file` with every problem of it
 */
export async function loadLake(dir: string, env: Environment): Promise<LakeConfig> {
  const { file, text } = await findLakeFile(resolve(dir));
  const shown = relative(resolve(dir), file) || FILE_NAME;
  const parsed = parseYamlFile(text, shown, lakeFile, { env, override: (value) => overrideFrom(env, value) });
  if (Array.isArray(parsed)) {
    throwProblems(parsed);
    throw new LakeError('internal', 'a file was refused without a problem', { where: shown });
  }
  const config = resolveConfig(parsed.value, dirname(file), file);
  throwProblems(checkConfig(parsed, config));
  return config;
}

/** True for a catalog's database that is no file: `postgres://…`. */
export function isDatabaseUrl(database: string): boolean {
  return /^postgres(ql)?:\/\//.test(database);
}

/** A catalog's database for people to read: a URL without user and password. */
export function shownDatabase(database: string): string {
  if (!isDatabaseUrl(database)) return database;
  const url = URL.parse(database);
  if (url === null) return 'postgres://…';
  const schema = url.searchParams.get('schema');
  return `postgres://${url.host}${url.pathname}${schema === null ? '' : `?schema=${schema}`}`;
}

/** The tier whose prefix is the longest that holds `location`, else the hottest. */
export function tierOf(tiers: readonly Tier[], location: string): Tier {
  const matching = tiers.filter((tier) => location.startsWith(`${tier.location}/`));
  const longest = matching.sort((a, b) => b.location.length - a.location.length)[0] ?? tiers[0];
  if (longest === undefined) throw new LakeError('internal', 'a lake without tiers');
  return longest;
}

async function findLakeFile(start: string): Promise<{ file: string; text: string }> {
  for (let dir = start; ; dir = dirname(dir)) {
    const file = join(dir, FILE_NAME);
    try {
      return { file, text: await readTextFile(file, relative(start, file) || FILE_NAME) };
    } catch (cause) {
      if (cause instanceof LakeError) throw cause;
      if (!isMissingFile(cause)) {
        throw new LakeError('unavailable', `cannot read ${file}`, { where: file, cause });
      }
    }
    if (dirname(dir) === dir) break;
  }
  throw new LakeError('usage', `there is no ${FILE_NAME} in ${start} or above it`, {
    where: start,
    hint: 'run the command in a project, name one with -C DIR, or make one with: lake init DIR',
  });
}

function isMissingFile(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}

function overrideFrom(env: Environment, value: unknown): unknown {
  if (!isRecord(value)) return value;
  const result = structuredClone(value);
  for (const [name, text] of Object.entries(env)) {
    if (text === undefined || !name.startsWith('LAKE_')) continue;
    const path = name.slice('LAKE_'.length).toLowerCase().split('__');
    // Only lake.yaml's own keys: LAKE_CREDENTIAL and the like may be there for "${LAKE_CREDENTIAL}".
    if (Object.hasOwn(lakeFile.shape, path[0] ?? '')) setPath(result, path, parseYaml(text) as unknown);
  }
  return result;
}

function setPath(target: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [head, ...rest] = path;
  if (head === undefined) return;
  if (rest.length === 0) {
    target[head] = value;
    return;
  }
  const inner = target[head];
  const next = isRecord(inner) ? inner : {};
  target[head] = next;
  setPath(next, rest, value);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function resolveConfig(file: LakeFile, root: string, path: string): LakeConfig {
  const warehouse = locationOf(file.warehouse, root);
  const entries = Object.entries(file.tiers ?? { hot: { location: '{warehouse}' } });
  return {
    root,
    file: path,
    name: file.name,
    timezone: file.timezone,
    warehouse,
    storage: storageSettings(file.storage),
    catalog: resolveCatalog(file.catalog, root),
    serve: serveConfig(file.catalog.serve, root),
    tiers: entries.map(([name, tier]) => resolveTier(name, tier, warehouse, root)),
    policiesFolder: resolve(root, file.policies),
    modelsFolder: resolve(root, 'models'),
    ...(file.prices === undefined ? {} : { pricesFile: resolve(root, file.prices) }),
    ...(file.trino === undefined ? {} : { trino: resolveTrino(file.trino) }),
    engine: {
      ...(file.engine?.memory_limit === undefined ? {} : { memoryLimit: file.engine.memory_limit }),
      ...(file.engine?.threads === undefined ? {} : { threads: file.engine.threads }),
      cache: {
        folder: resolve(root, '.lake/cache'),
        sizeBytes: sizeBytes(file.engine?.cache_size ?? DEFAULT_CACHE_SIZE),
      },
    },
  };
}

function resolveTrino({ server, catalog, user = 'lake', password }: NonNullable<LakeFile['trino']>) {
  return {
    server: server.replace(/\/$/, ''),
    catalog,
    user,
    ...(password === undefined ? {} : { password }),
  };
}

function resolveTier(
  name: string,
  tier: NonNullable<LakeFile['tiers']>[string],
  warehouse: string,
  root: string,
): Tier {
  const location = locationOf(tier.location.replaceAll('{warehouse}', warehouse), root);
  return {
    name,
    location,
    ...(tier.storage_class === undefined ? {} : { storageClass: tier.storage_class }),
    ...(tier.storage === undefined ? {} : { storage: storageSettings(tier.storage) }),
  };
}

function resolveCatalog(file: LakeFile['catalog'], root: string): CatalogConfig {
  if (file.uri === undefined) return { kind: 'embedded', database: databaseOf(file.embedded ?? '', root) };
  return {
    kind: 'rest',
    uri: file.uri,
    ...(file.warehouse === undefined ? {} : { warehouse: file.warehouse }),
    ...(file.token === undefined ? {} : { token: file.token }),
    ...(file.credential === undefined ? {} : { credential: file.credential }),
  };
}

/** The path of a SQLite file, absolute, or the URL of a PostgreSQL database as it is. */
function databaseOf(text: string, root: string): string {
  return isDatabaseUrl(text) ? text : resolve(root, text);
}

/** A path or location as a full location without a trailing slash. Paths stay raw: `%` means itself. */
function locationOf(text: string, root: string): string {
  const trimmed = text.length > 1 ? text.replace(/\/+$/, '') : text;
  if (/^[a-z][a-z0-9+.-]*:\/\//.test(trimmed)) return trimmed;
  return `file://${resolve(root, trimmed)}`;
}

function checkConfig({ value, problemAt }: ParsedYaml<LakeFile>, config: LakeConfig): Problem[] {
  const problems: Problem[] = [];
  const say = (path: readonly string[], message: string, hint: string) =>
    problems.push(problemAt(path, message, hint));
  if (!isTimezone(value.timezone)) {
    say(['timezone'], `"${value.timezone}" is no time zone`, 'write one such as UTC or Europe/Berlin');
  }
  const { embedded, uri, credential, token } = value.catalog;
  if ((embedded === undefined) === (uri === undefined)) {
    say(['catalog'], 'a catalog has either "embedded" or "uri"', 'write embedded: ./.lake/catalog.db');
  }
  if (credential !== undefined && !/^[^:]+:./.test(credential)) {
    say(
      ['catalog', 'credential'],
      'a credential is CLIENT_ID:SECRET',
      'write credential: "${LAKE_CREDENTIAL}"',
    );
  }
  if (credential !== undefined && token !== undefined) {
    say(['catalog', 'token'], 'a catalog has either a token or a credential', 'remove one of them');
  }
  if (value.tiers !== undefined && config.tiers.length === 0) {
    say(['tiers'], 'a lake needs at least one tier', 'write hot: { location: "{warehouse}/hot" }');
  }
  problems.push(...serveProblems(value.catalog.serve, problemAt));
  if (uri !== undefined && value.catalog.serve !== undefined) {
    say(
      ['catalog', 'serve'],
      '"serve" is for a catalog of the project, and this one is elsewhere',
      'remove this key',
    );
  }
  if (value.trino?.password !== undefined && !value.trino.server.startsWith('https:')) {
    say(['trino', 'password'], 'a password would travel in clear text', 'write server: https://…');
  }
  problems.push(...storageProblems(value.storage, ['storage'], problemAt));
  return [...problems, ...checkTiers(value, config, problemAt)];
}

function checkTiers(
  value: LakeFile,
  config: LakeConfig,
  problemAt: ParsedYaml<LakeFile>['problemAt'],
): Problem[] {
  const problems: Problem[] = [];
  const seen = new Map<string, string>();
  for (const tier of config.tiers) {
    const path = value.tiers === undefined ? ['warehouse'] : ['tiers', tier.name, 'location'];
    const other = seen.get(tier.location);
    if (other !== undefined) {
      const message = `tiers "${other}" and "${tier.name}" have the same location`;
      const hint =
        "give each tier a prefix of its own, also where only their storage_class differs: a file's tier is told by its prefix";
      problems.push(problemAt(path, message, hint));
    }
    seen.set(tier.location, tier.name);
    if (tier.storageClass !== undefined && tier === config.tiers[0] && isS3(tier.location)) {
      const message =
        "new data is written in the server's default class, so the hottest tier has no storage_class";
      problems.push(problemAt(['tiers', tier.name, 'storage_class'], message, 'remove this key'));
    }
    problems.push(...checkPlace(tier, path, problemAt));
    problems.push(
      ...storageProblems(value.tiers?.[tier.name]?.storage, ['tiers', tier.name, 'storage'], problemAt),
    );
  }
  return problems;
}

/** Whether a tier's location, and what belongs to it, can be. */
function checkPlace(
  tier: Tier,
  path: readonly string[],
  problemAt: ParsedYaml<LakeFile>['problemAt'],
): Problem[] {
  if (isS3(tier.location)) return [];
  const problems: Problem[] = [];
  if (!/^(file|memory):\/\//.test(tier.location)) {
    const message = `there is no store for ${tier.location}`;
    problems.push(problemAt(path, message, 'write a path such as "./warehouse", or s3://bucket/prefix'));
  }
  const onlyS3 = { storage_class: tier.storageClass, storage: tier.storage };
  for (const [key, value] of Object.entries(onlyS3)) {
    if (value === undefined) continue;
    const message = `"${key}" is for s3:// locations: ${tier.location} is none`;
    problems.push(problemAt(['tiers', tier.name, key], message, 'remove this key'));
  }
  return problems;
}

function isTimezone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
