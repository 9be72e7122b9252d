import { parseJson, stringifyJson } from '../src/iceberg/json.ts';

/** Tables of one catalog to be asked for by plain HTTP. */
export interface BenchTables {
  readonly origin: string;
  readonly tables: readonly { readonly path: string; readonly uuid: string }[];
  /** Of one table's metadata. */
  readonly metadataBytes: number;
}

export const SCHEMA = {
  type: 'struct',
  'schema-id': 0,
  fields: [
    { id: 1, name: 'id', required: false, type: 'long' },
    { id: 2, name: 'at', required: false, type: 'timestamptz' },
    { id: 3, name: 'origin', required: false, type: 'string' },
    { id: 4, name: 'destination', required: false, type: 'string' },
    { id: 5, name: 'delay', required: false, type: 'int' },
  ],
};
const SNAPSHOTS_A_COMMIT = 250;

interface Loaded {
  readonly metadata: { readonly location: string; readonly 'table-uuid': string };
}

/** Makes tables in a namespace of their own, each with `snapshots` snapshots, by the protocol alone. */
export async function makeTables(
  uri: string,
  { tables, snapshots }: { readonly tables: number; readonly snapshots: number },
): Promise<BenchTables> {
  const config = (await ask('GET', `${uri}/v1/config`)) as Readonly<Record<string, Record<string, string>>>;
  const prefix = config['overrides']?.['prefix'] ?? config['defaults']?.['prefix'];
  const base = `${uri}/v1${prefix === undefined ? '' : `/${encodeURIComponent(prefix)}`}`;
  const namespace = `bench_${snapshots}`;
  await ask('POST', `${base}/namespaces`, { namespace: [namespace], properties: {} });
  const made: { path: string; uuid: string }[] = [];
  let metadataBytes = 0;
  for (let at = 0; at < tables; at++) {
    const name = `table_${at}`;
    const created = await ask('POST', `${base}/namespaces/${namespace}/tables`, {
      name,
      schema: SCHEMA,
      'stage-create': false,
      properties: {},
    });
    const { metadata } = created as Loaded;
    const url = `${base}/namespaces/${namespace}/tables/${name}`;
    for (let from = 1; from <= snapshots; from += SNAPSHOTS_A_COMMIT) {
      const to = Math.min(snapshots, from + SNAPSHOTS_A_COMMIT - 1);
      const loaded = await ask('POST', url, appends(metadata.location, from, to));
      metadataBytes = stringifyJson((loaded as Loaded).metadata).length;
    }
    made.push({ path: new URL(url).pathname, uuid: metadata['table-uuid'] });
  }
  return {
    origin: new URL(uri).origin,
    tables: made,
    metadataBytes,
  };
}

/** Appends as a writer would make them, each on the one before. */
export function appends(location: string, from: number, to: number): object {
  const began = Date.UTC(2026, 0, 1);
  const snapshots = Array.from({ length: to - from + 1 }, (_, at) => snapshotOf(location, from + at, began));
  const updates = snapshots.flatMap((snapshot) => [
    { action: 'add-snapshot', snapshot },
    {
      action: 'set-snapshot-ref',
      'ref-name': 'main',
      type: 'branch',
      'snapshot-id': snapshot['snapshot-id'],
    },
  ]);
  return { requirements: [], updates };
}

const FIRST_ID = 5_000_000_000_000_000_000n;

function snapshotOf(location: string, number: number, began: number) {
  const id = FIRST_ID + BigInt(number);
  return {
    'snapshot-id': id,
    ...(number === 1 ? {} : { 'parent-snapshot-id': id - 1n }),
    'sequence-number': number,
    'timestamp-ms': began + number,
    'manifest-list': `${location}/metadata/snap-${id}-1-${'a'.repeat(36)}.avro`,
    'schema-id': 0,
    summary: {
      operation: 'append',
      'added-data-files': '1',
      'added-records': '10000',
      'added-files-size': '184320',
      'changed-partition-count': '1',
      'total-records': `${number * 10_000}`,
      'total-files-size': `${number * 184_320}`,
      'total-data-files': `${number}`,
      'total-delete-files': '0',
      'total-position-deletes': '0',
      'total-equality-deletes': '0',
    },
  };
}

async function ask(method: string, url: string, body?: object): Promise<unknown> {
  const answer = await fetch(url, {
    method,
    headers: { 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: stringifyJson(body) }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${url}: ${answer.status} ${text.slice(0, 500)}`);
  return text === '' ? null : parseJson(text);
}
