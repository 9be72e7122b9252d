import type { FastifyInstance } from 'fastify';
import { parseJson, stringifyJson } from '../../src/iceberg/json.ts';
import { cuts, type Luck, messageComplaint, sample, wrongEncodings, wrongTypes } from './broken-input.ts';

/** A request to the catalog that is broken. */
export interface BrokenRequest {
  readonly name: string;
  readonly method: 'GET' | 'POST' | 'DELETE' | 'HEAD';
  readonly url: string;
  readonly body?: string | Uint8Array;
  readonly type?: string;
}

const SCHEMA = {
  type: 'struct',
  'schema-id': 0,
  fields: [
    { id: 1, name: 'id', required: true, type: 'long' },
    {
      id: 2,
      name: 'tags',
      required: false,
      type: { type: 'list', 'element-id': 3, 'element-required': false, element: 'string' },
    },
  ],
};
const CREATE = {
  name: 'made',
  schema: SCHEMA,
  'partition-spec': {
    'spec-id': 0,
    fields: [{ 'source-id': 1, 'field-id': 1000, name: 'id_bucket', transform: 'bucket[4]' }],
  },
  'write-order': {
    'order-id': 1,
    fields: [{ 'source-id': 1, transform: 'identity', direction: 'asc', 'null-order': 'nulls-first' }],
  },
  'stage-create': false,
  properties: { owner: 'x' },
};
const SNAPSHOT = {
  'snapshot-id': 17n,
  'sequence-number': 900,
  'timestamp-ms': 4_000_000_000_000,
  'manifest-list': 'file:///nowhere/snap.avro',
  summary: { operation: 'append' },
};
const COMMIT = {
  requirements: [{ type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': 99n }],
  updates: [
    { action: 'add-snapshot', snapshot: SNAPSHOT },
    { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': 17n },
    { action: 'set-properties', updates: { owner: 'x' } },
    { action: 'remove-properties', removals: ['owner'] },
  ],
};

/** Values of 64 bits and more, where others are meant: each alone makes the commit invalid. */
const WRONG_UPDATES: readonly object[] = [
  { action: 'no-such-action' },
  { action: 'add-schema', schema: { type: 'struct', fields: [{ id: 9, name: 'x', type: 'long' }] } },
  { action: 'add-schema', schema: { type: 'struct', fields: [null] } },
  {
    action: 'add-schema',
    schema: { type: 'struct', fields: [{ id: 'x', name: 'x', required: false, type: 'long' }] },
  },
  {
    action: 'add-schema',
    schema: { type: 'struct', fields: [{ id: 9, name: 'x', required: false, type: 'decimal(99, 98)' }] },
  },
  {
    action: 'add-schema',
    schema: {
      type: 'struct',
      fields: [{ id: 9, name: 'x', required: false, type: 'fixed[99999999999999]' }],
    },
  },
  {
    action: 'add-schema',
    schema: { type: 'struct', fields: [{ id: 9, name: 'x', required: false, type: { type: 'list' } }] },
  },
  {
    action: 'add-schema',
    schema: { type: 'struct', fields: [{ id: 9, name: 'x', required: false, type: null }] },
  },
  { action: 'add-schema', schema: deepSchema(3000) },
  { action: 'set-current-schema', 'schema-id': 99 },
  { action: 'set-current-schema', 'schema-id': 1e300 },
  {
    action: 'add-spec',
    spec: { 'spec-id': 5, fields: [{ 'source-id': 99, name: 'x', transform: 'identity' }] },
  },
  {
    action: 'add-spec',
    spec: { 'spec-id': 5, fields: [{ 'source-id': 1, name: 'x', transform: 'bucket[0]' }] },
  },
  {
    action: 'add-spec',
    spec: { 'spec-id': 5, fields: [{ 'source-id': 1, name: 'x', transform: 'bucket[99999999999]' }] },
  },
  { action: 'add-spec', spec: { 'spec-id': 5, fields: [{ 'source-id': 1, name: 'x', transform: 17 }] } },
  { action: 'add-spec', spec: { 'spec-id': 5, fields: [null] } },
  { action: 'set-default-spec', 'spec-id': 77 },
  { action: 'add-sort-order', 'sort-order': { 'order-id': 3, fields: [{ 'source-id': 99 }] } },
  { action: 'add-sort-order', 'sort-order': { 'order-id': 3, fields: [17] } },
  { action: 'set-default-sort-order', 'sort-order-id': 55 },
  { action: 'add-snapshot', snapshot: { ...SNAPSHOT, 'snapshot-id': 2n ** 70n } },
  { action: 'add-snapshot', snapshot: { ...SNAPSHOT, 'snapshot-id': -(2n ** 70n) } },
  { action: 'add-snapshot', snapshot: { ...SNAPSHOT, 'sequence-number': 1e300 } },
  { action: 'add-snapshot', snapshot: { ...SNAPSHOT, 'timestamp-ms': 1e300 } },
  { action: 'add-snapshot', snapshot: { ...SNAPSHOT, 'timestamp-ms': -5 } },
  { action: 'add-snapshot', snapshot: { ...SNAPSHOT, 'parent-snapshot-id': 5n } },
  { action: 'add-snapshot', snapshot: { ...SNAPSHOT, summary: { operation: 'append', n: 5 } } },
  { action: 'add-snapshot', snapshot: { ...SNAPSHOT, 'schema-id': 'x' } },
  { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': 5n },
  { action: 'set-snapshot-ref', 'ref-name': 'x', type: 'branch', 'snapshot-id': 2n ** 80n },
  { action: 'set-snapshot-ref', 'ref-name': '', type: 'tag', 'snapshot-id': 5n },
  { action: 'remove-snapshots', 'snapshot-ids': ['x'] },
  { action: 'remove-snapshots', 'snapshot-ids': [1.5] },
  { action: 'upgrade-format-version', 'format-version': 9 },
  { action: 'upgrade-format-version', 'format-version': 1 },
  { action: 'set-location', location: 17 },
  { action: 'assign-uuid', uuid: 'another' },
  { action: 'remove-schemas', 'schema-ids': [0] },
  { action: 'remove-partition-specs', 'spec-ids': [0] },
  { action: 'set-statistics', statistics: { 'snapshot-id': 5n } },
];

function deepSchema(levels: number): object {
  let type: unknown = 'long';
  for (let i = levels; i > 0; i--)
    type = { type: 'list', 'element-id': 100 + i, 'element-required': false, element: type };
  return { type: 'struct', fields: [{ id: 9, name: 'x', required: false, type }] };
}

const WRONG_REQUIREMENTS: readonly object[] = [
  { type: 'assert-nothing' },
  { type: 'assert-table-uuid', uuid: 'another' },
  { type: 'assert-table-uuid' },
  { type: 'assert-ref-snapshot-id', ref: 17, 'snapshot-id': 1 },
  { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': 'x' },
  { type: 'assert-current-schema-id', 'current-schema-id': 1e300 },
  { type: 'assert-create' },
];

const ODD_NAMES = [
  '%00',
  '%ff',
  '%c0%af',
  '%ed%a0%80',
  '%E2%80%AE',
  '..%2f..%2fetc',
  '%F0%9F%92%A9',
  "'%20OR%201=1--",
  'a'.repeat(9000),
  '%1F',
  '%2500',
];

/** The requests; `table` is the path of a table that is there. */
export function brokenRequests(table: string, luck: Luck): BrokenRequest[] {
  const namespace = table.slice(0, table.lastIndexOf('/tables/'));
  const tables = `${namespace}/tables`;
  const transaction = {
    'table-changes': [{ identifier: { namespace: ['gold'], name: 'moved' }, ...COMMIT }],
  };
  const lease = { 'table-uuid': 'u', holder: 'h', 'ttl-ms': 1000 };
  const begin = {
    'relocation-id': 'r',
    'lease-id': 'l',
    namespace: ['gold'],
    table: 'moved',
    'table-uuid': 'u',
    'grace-ms': 1,
    plan: {},
  };
  const shapes: readonly (readonly [string, object, number, RegExp?])[] = [
    // A schema's and a spec's further ids are given anew, and a list of nothing but fields is one.
    [tables, CREATE, 45, /schema-id|spec-id|field-id|order-id|element-id|\.id$/],
    [table, COMMIT, 30, /^$/],
    ['/v1/transactions/commit', transaction, 25],
    ['/v1/namespaces', { namespace: ['n'], properties: { a: 'b' } }, 12],
    [`${namespace}/properties`, { updates: { a: 'b' }, removals: ['c'] }, 10],
    [
      '/v1/tables/rename',
      { source: { namespace: ['gold'], name: 'x' }, destination: { namespace: ['gold'], name: 'y' } },
      10,
    ],
    ['/lake/v1/leases', lease, 10],
    ['/lake/v1/relocations', begin, 12, /^plan$/],
    ['/lake/v1/ledger/deleted', { locations: ['file:///x'] }, 5],
  ];
  const post = (url: string, name: string, body: string | Uint8Array, type?: string): BrokenRequest => ({
    name: `POST ${url.slice(0, 60)}: ${name.slice(0, 100)}`,
    method: 'POST',
    url,
    body,
    ...(type === undefined ? {} : { type }),
  });
  const commit = stringifyJson(COMMIT);
  return [
    ...shapes.flatMap(([url, document, count, free]) =>
      sample(wrongTypes(document, free), count, luck).map((wrong) =>
        post(url, wrong.name, stringifyJson(wrong.document)),
      ),
    ),
    ...WRONG_UPDATES.map((update) =>
      post(table, stringifyJson(update), stringifyJson({ requirements: [], updates: [update] })),
    ),
    ...WRONG_REQUIREMENTS.map((requirement) =>
      post(table, stringifyJson(requirement), stringifyJson({ requirements: [requirement], updates: [] })),
    ),
    ...cuts(new TextEncoder().encode(commit), 10, luck).map((cut) => post(table, cut.name, cut.bytes)),
    ...wrongEncodings(stringifyJson(COMMIT, 2)).map((wrong) => post(table, wrong.name, wrong.bytes)),
    post(table, '100,000 brackets', '['.repeat(100_000)),
    post(table, '100,000 levels, closed', `{"updates":${'['.repeat(100_000)}${']'.repeat(100_000)}}`),
    post(table, 'a number of 10,000 digits', `{"updates":[],"requirements":${'9'.repeat(10_000)}}`),
    post(table, 'XML', '<commit/>', 'application/xml'),
    post(table, 'no type', commit, 'nonsense'),
    post(table, 'a form', 'a=b', 'application/x-www-form-urlencoded'),
    post('/v1/namespaces', 'a name with a separator', '{"namespace":["a\\u001fb"]}'),
    post('/v1/namespaces', 'an empty name', '{"namespace":[""]}'),
    post('/v1/namespaces', 'half a surrogate pair', '{"namespace":["\\ud800"]}'),
    post('/v1/namespaces', 'a NUL', '{"namespace":["a\\u0000"]}'),
    ...ODD_NAMES.flatMap((name) => [
      { name: `GET namespace ${name.slice(0, 30)}`, method: 'GET', url: `/v1/namespaces/${name}` } as const,
      { name: `GET table ${name.slice(0, 30)}`, method: 'GET', url: `${tables}/${name}` } as const,
      { name: `DELETE table ${name.slice(0, 30)}`, method: 'DELETE', url: `${tables}/${name}` } as const,
    ]),
    ...['pageSize=0', 'pageSize=-1', 'pageSize=1e999', 'pageSize=x', 'pageSize=99999999999999999999']
      .map((query) => `/v1/namespaces?pageToken=&${query}`)
      .map((url) => ({ name: `GET ${url}`, method: 'GET', url }) as const),
    { name: 'GET the ledger, due never', method: 'GET', url: '/lake/v1/ledger?due-before-ms=never' },
    { name: 'GET the ledger, due in ages', method: 'GET', url: '/lake/v1/ledger?due-before-ms=1e300' },
    { name: 'GET nothing', method: 'GET', url: '/v1/nothing' },
    { name: 'GET no path', method: 'GET', url: '//' },
  ];
}

/** What is wrong with how the catalog answered; null if nothing is (a 4xx with the error model of the REST spec). */
export async function requestComplaint(app: FastifyInstance, request: BrokenRequest): Promise<string | null> {
  const answer = await app.inject({
    method: request.method,
    url: request.url,
    ...(request.body === undefined
      ? {}
      : {
          payload: typeof request.body === 'string' ? request.body : Buffer.from(request.body),
          headers: { 'content-type': request.type ?? 'application/json' },
        }),
  });
  const { statusCode } = answer;
  if (statusCode < 400 || statusCode >= 500)
    return `${request.name}: ${statusCode} ${answer.body.slice(0, 300)}`;
  const { error } = parseJson(answer.body) as { error?: Record<string, unknown> };
  const { message, type, code } = error ?? {};
  if (typeof message !== 'string' || typeof type !== 'string' || code !== statusCode)
    return `${request.name}: not the error model: ${answer.body.slice(0, 300)}`;
  const complaint = messageComplaint(message.replaceAll(request.url, ''), message, undefined);
  return complaint === null ? null : `${request.name}: ${complaint}`;
}
