import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { loadLake } from '../../src/config.ts';
import { stringifyJson } from '../../src/iceberg/json.ts';
import { loadModels } from '../../src/pipeline/load-models.ts';
import { readTextFile } from '../../src/project/text-file.ts';
import { parsePlanFile } from '../../src/tiering/move-plan.ts';
import { readPolicies } from '../../src/tiering/policy-files.ts';
import {
  type BrokenInput,
  cuts,
  type Damaged,
  flips,
  type Luck,
  sample,
  smears,
  wrongEncodings,
  wrongTypes,
} from './broken-input.ts';

const utf8 = (content: string): Uint8Array => new TextEncoder().encode(content);

const LAKE = {
  version: 1,
  name: 'tiny',
  timezone: 'UTC',
  warehouse: './w',
  catalog: { embedded: './c.db' },
  tiers: { hot: { location: '{warehouse}/hot' }, cold: { location: '{warehouse}/cold' } },
  policies: './policies',
  trino: { server: 'http://localhost:8080', catalog: 'lake' },
  engine: { memory_limit: '1GB', threads: 2, cache_size: '4GB' },
};

const POLICIES = {
  version: 1,
  defaults: { grace: '24h', snapshots: { min_to_keep: 5, max_age: '7d' } },
  policies: [
    {
      name: 'facts',
      owner: 'stewards',
      priority: 10,
      match: {
        layer: ['gold'],
        tables: ['gold.fct_*'],
        exclude: ['gold.fct_tmp'],
        tags: { domain: 'sales' },
      },
      age: { from: 'partition' },
      transitions: [{ to: 'cold', after: '6mo' }],
      retention: { delete_after: '7y' },
      compaction: { target_file_size: '256MB', min_input_files: 5, sort_by: ['k'], engine: 'auto' },
    },
  ],
  holds: [{ name: 'audit', tables: ['gold.fct_sales'], partitions: { from: '2024-01-01' }, reason: 'audit' }],
};

const MODEL = {
  version: 1,
  description: 'events',
  materialisation: 'replace_partitions',
  key: ['id'],
  partition_by: ['day(ts)'],
  sort_by: ['id desc'],
  columns: [
    {
      name: 'v',
      checks: [
        'not_null',
        { relationships: { to: 'bronze.e', field: 'v' } },
        { freshness: { max_age: '3d' } },
      ],
    },
  ],
  checks: [{ unique: ['id'], severity: 'warn' }],
  tags: { domain: 'sales' },
};

const SOURCE = {
  version: 1,
  materialisation: 'append',
  source: { path: 'data/*.csv', format: 'csv', required: true },
};

const PLAN = {
  version: 1,
  'created-at': '2026-11-21T10:00:00.000Z',
  now: '2026-11-21T10:00:00.000Z',
  'policy-digest': '00',
  moves: [
    {
      table: 'gold.t',
      partition: 'day=2001-01-05',
      from: 'hot',
      to: 'cold',
      files: 1,
      bytes: 100,
      reason: 'old',
      paths: ['file:///w/x.parquet'],
    },
  ],
  kept: [{ table: 'gold.t', partition: 'day=2001-01-06', tier: 'hot', reason: 'young' }],
  tables: [
    {
      table: 'gold.t',
      policy: 'p',
      grace_ms: 1,
      uuid: 'u',
      metadata_location: 'file:///m',
      snapshot_id: '1',
    },
  ],
};

/** What YAML can get wrong by itself. `content` is a valid file whose first line is `version: 1`. */
function badYaml(content: string): Damaged[] {
  const [, ...rest] = content.split('\n');
  const below = rest.join('\n');
  const texts: readonly (readonly [string, string])[] = [
    ['nothing', ''],
    ['a comment alone', '# to be written\n'],
    ['a scalar', '17\n'],
    ['null', '~\n'],
    ['a list', '- 1\n- 2\n'],
    ['two documents', `${content}---\n${content}`],
    ['version 2', `version: 2\n${below}`],
    ['version of 400 digits', `version: ${'9'.repeat(400)}\n${below}`],
    ['version beyond doubles', `version: 1e999\n${below}`],
    ['not a number', `version: .nan\n${below}`],
    ['an unknown key', `${content}warehous: ./w\n`],
    ['a key of the prototype', `${content}__proto__: { version: 2 }\n`],
    ['a key twice', `${content}version: 1\n`],
    ['a tab for indentation', `${content}x:\n\ty: 1\n`],
    ['a quote that stays open', `${content}x: "open\n`],
    ['a bracket that stays open', `${content}x: [1, 2\n`],
    ['a bracket too many', `${content}x: 1]}\n  - y\n`],
    ['an alias of nothing', `${content}x: *nobody\n`],
    ['a tag of another language', `${content}x: !!python/object/apply:os.system ["true"]\n`],
    ['a NUL', `${content}x: a\u0000b\n`],
    ['control characters', `\u0001\u0002${content}`],
    ['aliases that unfold for ever', billionLaughs(content)],
    ['10,000 brackets', `${content}x: ${'['.repeat(10_000)}\n`],
    ['10,000 levels, closed', `${content}x: ${'['.repeat(10_000)}${']'.repeat(10_000)}\n`],
    ['one word of a megabyte', 'x'.repeat(1_000_000)],
    ['a map as key', `${content}? { a: 1 }\n: 2\n`],
    ['JSON cut off', '{"version": 1, "name": '],
  ];
  return texts.map(([name, broken]) => ({ name, bytes: utf8(broken) }));
}

function billionLaughs(content: string): string {
  const levels = Array.from({ length: 12 }, (_, i) => {
    const of = i === 0 ? '"lol"' : `*a${i - 1}`;
    return `x${i}: &a${i} [${Array.from({ length: 10 }, () => of).join(', ')}]\n`;
  });
  return content + levels.join('');
}

interface YamlDoor {
  readonly file: string;
  readonly document: object;
  readonly free?: RegExp;
  readonly read: (bytes: Uint8Array) => Promise<void>;
}

/** A YAML file with a part of another type, in another encoding, with bad YAML, damaged at random. */
function yamlInputs(door: YamlDoor, types: number, random: number, luck: Luck): BrokenInput[] {
  const content = stringify(door.document);
  const kinds = ['invalid-file'] as const;
  const input = ({ name, bytes }: Damaged): BrokenInput => ({
    name,
    kinds,
    names: new RegExp(`${door.file.replaceAll('.', '\\.')}:\\d+:\\d+`),
    feed: async () => {
      await door.read(bytes);
      return 'read';
    },
  });
  const wrong = wrongTypes(door.document, door.free).map(({ name, document }) => ({
    name,
    bytes: utf8(stringify(document)),
  }));
  const damaged = [
    ...cuts(utf8(content), random, luck),
    ...flips(utf8(content), random, luck),
    ...smears(utf8(content), random, luck),
  ];
  return [
    ...sample(wrong, types, luck).map(input),
    ...badYaml(content).map(input),
    ...wrongEncodings(content).map(input),
    // A shorter or other text may be a valid file too.
    ...damaged.map((one) => ({ ...input(one), mayBe: () => true })),
  ];
}

/** Files that people write: lake.yaml, policies, models, plans. All lie below `parent`. */
export async function textInputs(parent: string, luck: Luck): Promise<Record<string, BrokenInput[]>> {
  const folder = await mkdtemp(join(parent, 'texts-'));
  const put = async (path: string, content: string | Uint8Array): Promise<void> => {
    await mkdir(join(folder, path, '..'), { recursive: true });
    await writeFile(join(folder, path), content);
  };
  await put('good/lake.yaml', stringify(LAKE));
  const config = { ...(await loadLake(join(folder, 'good'), {})), root: folder };
  const models = async (layer: string, bytes: Uint8Array): Promise<void> => {
    await rm(join(folder, 'models'), { recursive: true, force: true });
    await put(`models/${layer}/e.sql`, 'SELECT 1 AS id');
    await put(`models/${layer}/e.yml`, bytes);
    await loadModels(join(folder, 'models'), folder);
  };
  const yaml = {
    lake: {
      file: 'lake.yaml',
      document: LAKE,
      read: async (bytes: Uint8Array) => {
        await put('lake.yaml', bytes);
        await loadLake(folder, {});
      },
    },
    policy: {
      file: 'policies/p.yaml',
      document: POLICIES,
      free: /\.(tables|exclude|layer|tags\.domain)$/,
      read: async (bytes: Uint8Array) => {
        await put('policies/p.yaml', bytes);
        await readPolicies({ ...config, policiesFolder: join(folder, 'policies') });
      },
    },
    model: {
      file: 'models/silver/e.yml',
      document: MODEL,
      read: (bytes: Uint8Array) => models('silver', bytes),
    },
    source: {
      file: 'models/bronze/e.yml',
      document: SOURCE,
      read: (bytes: Uint8Array) => models('bronze', bytes),
    },
  };
  return {
    'lake.yaml': yamlInputs(yaml.lake, 30, 6, luck),
    policy: yamlInputs(yaml.policy, 50, 6, luck),
    'model of silver': yamlInputs(yaml.model, 30, 4, luck),
    'model of bronze': yamlInputs(yaml.source, 15, 4, luck),
    plan: planInputs(folder, luck),
  };
}

function planInputs(folder: string, luck: Luck): BrokenInput[] {
  const content = stringifyJson(PLAN, 2);
  const file = join(folder, 'plan.json');
  const wrong = wrongTypes(PLAN).map(({ name, document }) => ({
    name,
    bytes: utf8(stringifyJson(document)),
  }));
  const [move] = PLAN.moves;
  const lies = [
    { name: 'fewer files than it says', document: { ...PLAN, moves: [{ ...move, files: 2 }] } },
    { name: 'no moves', document: { ...PLAN, moves: undefined } },
    { name: 'version 2', document: { ...PLAN, version: 2 } },
    { name: 'bytes beyond 2^53', document: { ...PLAN, moves: [{ ...move, bytes: 2n ** 70n }] } },
  ].map(({ name, document }) => ({ name, bytes: utf8(stringifyJson(document)) }));
  const bad = [
    { name: 'nothing', bytes: utf8('') },
    { name: 'YAML', bytes: utf8('version: 1\n') },
    { name: '100,000 brackets', bytes: utf8('['.repeat(100_000)) },
    { name: '100,000 levels, closed', bytes: utf8('['.repeat(100_000) + ']'.repeat(100_000)) },
  ];
  return [
    ...sample(wrong, 40, luck),
    ...lies,
    ...bad,
    ...cuts(utf8(content), 12, luck),
    ...wrongEncodings(content),
  ].map(({ name, bytes }) => ({
    name,
    kinds: ['invalid-file'],
    names: 'plan.json',
    feed: async () => {
      await writeFile(file, bytes);
      parsePlanFile(await readTextFile(file, file), file);
      return 'read';
    },
  }));
}
