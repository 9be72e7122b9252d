type Json = Readonly<Record<string, unknown>>;

/** One operation below `/lake/v1`, in short: what it does, what it takes, what it answers. */
interface Operation {
  readonly summary: string;
  readonly query?: Readonly<Record<string, Json>>;
  /** Members of the body; those whose name ends in `?` may be left out. */
  readonly body?: Readonly<Record<string, Json>>;
  /** Members of the answer; none for 204. */
  readonly answer?: Readonly<Record<string, Json>>;
  /** Refusals beside 400 (the request is off) and 503 (nothing was applied). */
  readonly refusals?: Readonly<Record<number, string>>;
}

const text = { type: 'string' };
const integer = { type: 'integer' };
const ms = { type: 'integer', format: 'int64', description: 'milliseconds, or milliseconds since 1970' };
const list = (items: Json): Json => ({ type: 'array', items });
const levels = { ...list(text), description: 'levels of a namespace, outermost first' };
const members = (parts: Readonly<Record<string, Json>>): Json => {
  const named = Object.entries(parts).map(([name, schema]) => [name.replace(/\?$/, ''), schema] as const);
  const required = Object.keys(parts).filter((name) => !name.endsWith('?'));
  return { type: 'object', properties: Object.fromEntries(named), required };
};
const page = {
  'page-token': { ...text, description: 'next-page-token of the answer before; absent for the first page' },
  'page-size': { ...integer, minimum: 1, maximum: 10_000 },
};
const next = { 'next-page-token': { type: ['string', 'null'], description: 'null on the last page' } };
const lease = { 'lease-id': text, 'expires-at-ms': ms };
const kind = { enum: ['data', 'delete', 'manifest', 'manifest-list'] };
const move = members({
  from: text,
  to: text,
  kind,
  size: { ...integer, description: 'bytes' },
  'from-tier?': text,
  'to-tier?': text,
});
const relocation = {
  'relocation-id': text,
  'lease-id': text,
  namespace: levels,
  table: text,
  'table-uuid': text,
  'grace-ms': ms,
  plan: { description: 'whatever the client noted' },
  state: { enum: ['copying', 'swapped', 'finished', 'rolled-back', 'cleaned'] },
  'created-at-ms': ms,
  'swapped-at-ms': { type: ['integer', 'null'] },
};
const dropped = {
  id: text,
  namespace: levels,
  table: text,
  'table-uuid': text,
  'metadata-location': text,
  'dropped-at-ms': ms,
  state: { enum: ['dropped', 'purging', 'listed', 'purged'] },
  'note?': { ...text, description: 'why a purge waits, or what it left' },
};
const identifier = members({ namespace: levels, name: text });
const CONFLICT = { 409: 'The state is another one by now, or the lease is not held: nothing was applied' };
const ABSENT = { 404: 'There is no such thing' };

const OPERATIONS: Readonly<Record<string, Operation>> = {
  'GET /lake/v1/openapi.json': { summary: 'This description' },
  'GET /lake/v1/tables': {
    summary: 'Every table with its uuid, as they all were at one moment',
    answer: {
      tables: list(members({ namespace: levels, name: text, 'table-uuid': text, 'metadata-location': text })),
    },
  },
  'POST /lake/v1/leases': {
    summary: 'Take the right to move a table, one holder at a time',
    body: { 'table-uuid': text, holder: text, 'ttl-ms': ms },
    answer: lease,
    refusals: { 409: 'Somebody holds the lease' },
  },
  'POST /lake/v1/leases/{id}/renew': {
    summary: 'Hold a lease on',
    body: { 'ttl-ms': ms },
    answer: lease,
    refusals: CONFLICT,
  },
  'DELETE /lake/v1/leases/{id}': { summary: 'Give a lease back' },
  'POST /lake/v1/relocations': {
    summary: 'Begin to move files of a leased table: opens its journal',
    body: {
      'relocation-id': text,
      'lease-id': text,
      namespace: levels,
      table: text,
      'table-uuid': text,
      'grace-ms': ms,
      'plan?': {},
    },
    answer: relocation,
    refusals: CONFLICT,
  },
  'GET /lake/v1/relocations': {
    summary: 'Relocations, by table or state',
    query: { 'table-uuid': text, state: text },
    answer: { relocations: list(members(relocation)) },
  },
  'GET /lake/v1/relocations/{id}': { summary: 'One relocation', answer: relocation, refusals: ABSENT },
  'POST /lake/v1/relocations/{id}/state': {
    summary: 'End a relocation: roll it back, or note that its old or copied files are gone',
    body: { state: { enum: ['rolled-back', 'finished', 'cleaned'] }, 'lease-id?': text },
    answer: relocation,
    refusals: { ...ABSENT, ...CONFLICT },
  },
  'POST /lake/v1/relocations/{id}/moves': {
    summary: 'Journal old and new places of files, before anything is copied',
    body: { 'lease-id': text, moves: { ...list(move), maxItems: 5000 } },
    refusals: { ...ABSENT, ...CONFLICT },
  },
  'GET /lake/v1/relocations/{id}/moves': {
    summary: 'The journal',
    query: page,
    answer: { moves: list(move), ...next },
    refusals: ABSENT,
  },
  'POST /lake/v1/relocations/{id}/swap': {
    summary:
      'Put the moved history in place: manifest lists, fences, pointer, journal and ledger in one transaction',
    body: {
      'lease-id': text,
      'base-metadata-location': text,
      snapshots: list(members({ 'snapshot-id': integer, 'manifest-list': text })),
      fences: list(members({ ref: text, snapshot: { description: 'a snapshot of the Iceberg spec' } })),
      'retired?': list(members({ location: text, kind })),
    },
    answer: { 'metadata-location': text, metadata: { description: 'table metadata of the Iceberg spec' } },
    refusals: { ...ABSENT, ...CONFLICT },
  },
  'GET /lake/v1/ledger': {
    summary: 'Retired objects that still stand',
    query: { 'table-uuid': text, 'due-before-ms': ms, ...page },
    answer: {
      entries: list(
        members({
          location: text,
          kind,
          'table-uuid': text,
          namespace: levels,
          table: text,
          'relocation-id': text,
          'retired-at-ms': ms,
          'delete-after-ms': ms,
        }),
      ),
      ...next,
    },
  },
  'POST /lake/v1/ledger/deleted': {
    summary: 'Note that retired objects are deleted',
    body: { locations: list(text) },
  },
  'GET /lake/v1/dropped-tables': {
    summary: 'Tables that were dropped, by state',
    query: { state: dropped.state, ...page },
    answer: { 'dropped-tables': list(members(dropped)), ...next },
  },
  'GET /lake/v1/dropped-tables/{id}': { summary: 'One dropped table', answer: dropped, refusals: ABSENT },
  'POST /lake/v1/dropped-tables/{id}/undrop': {
    summary: 'Bring a dropped table back, under its name or another',
    body: { 'to?': identifier },
    answer: { namespace: levels, table: text, 'metadata-location': text },
    refusals: { ...ABSENT, 409: 'The name is taken, or the table is being purged' },
  },
  'POST /lake/v1/dropped-tables/{id}/purge': {
    summary: 'Delete the files of a dropped table, as far as no other table names them',
    refusals: { ...ABSENT, 409: 'Its purge began already' },
  },
  'POST /lake/v1/purges': {
    summary: 'Go on with purges that wait, and say what became of each',
    answer: {
      purges: list(
        members({ id: text, deleted: integer, kept: integer, waits: { type: ['string', 'null'] } }),
      ),
    },
  },
  'GET /lake/v1/metrics-reports': {
    summary: 'The newest scan and commit reports of a table, oldest first',
    query: { 'table-uuid': text, ...page },
    answer: {
      reports: list(
        members({
          namespace: levels,
          table: text,
          'table-uuid': text,
          'received-at-ms': ms,
          report: { description: 'as the client sent it' },
        }),
      ),
      ...next,
    },
  },
};

const ERROR = {
  description: 'The error, in the shape of the Iceberg REST spec',
  content: {
    'application/json': {
      schema: members({
        error: members({
          message: text,
          type: text,
          code: integer,
          'kind?': text,
          'where?': text,
          'hint?': text,
        }),
      }),
    },
  },
};

/** The OpenAPI description of what this catalog offers beside the Iceberg REST protocol. */
export function openApi(): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const [route, operation] of Object.entries(OPERATIONS)) {
    const [method = '', path = ''] = route.split(' ');
    paths[path] = { ...paths[path], [method.toLowerCase()]: operationOf(path, operation) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Lakewarden catalog: what it adds to the Iceberg REST protocol',
      version: '1',
      description:
        'Moves of tables between storage tiers (leases, journal, swap, ledger), dropped tables and their purge, metrics reports. The protocol itself is below /v1.',
    },
    paths,
  };
}

function operationOf(path: string, { summary, query = {}, body, answer, refusals = {} }: Operation): Json {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: text,
  }));
  const inQuery = Object.entries(query).map(([name, schema]) => ({ name, in: 'query', schema }));
  const refused = Object.entries(refusals).map(([code, description]) => [code, { ...ERROR, description }]);
  return {
    summary,
    parameters: [...inPath, ...inQuery],
    ...(body === undefined ? {} : { requestBody: { content: json(members(body)) } }),
    responses: {
      ...(answer === undefined && !path.endsWith('openapi.json')
        ? { 204: { description: 'Done' } }
        : { 200: { description: 'Done', content: json(members(answer ?? {})) } }),
      400: ERROR,
      ...Object.fromEntries(refused),
      503: ERROR,
    },
  };
}

function json(schema: Json): Json {
  return { 'application/json': { schema } };
}
