type Json = Readonly<Record<string, unknown>>;

/** One operation below `/lake/v1`, in short: what it does, what it takes, what it answers. */
interface Operation {
  readonly summary: string;
  readonly query?: Readonly<Record<string, Json>>;
  /** Members of the body; those whose name ends in `?` may be left out. */
  readonly body?: Readonly<Record<string, Json>>;
  /** Members of the answer; none for 204. */
  readonly answer?: Readonly<Record<string, Json>>;
  /** Media type of an answer that is no JSON. */
  readonly answers?: string;
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

const REFUSED = { 403: 'The caller may not do this', ...ABSENT };
const principal = {
  name: text,
  'client-id': text,
  'created-at-ms': ms,
  'disabled-at-ms': { type: ['integer', 'null'] },
};
const secret = { ...text, description: 'told once, in this answer' };
const member = { kind: text, name: text };
const role = { name: text, 'created-at-ms': ms, members: list(members(member)) };
const grantee = members({ kind: { enum: ['principal', 'role'] }, name: text });
const privilege = { enum: ['read', 'write', 'manage', 'maintain', 'steward'] };
const on = {
  description:
    'what it is on: {"kind":"catalog"}, {"kind":"namespace","levels":[…]}, {"kind":"table"|"view","name":{"namespace":[…],"name":…}}',
};
const grant = { grantee, privilege, on };
const maintenance = {
  on: { type: 'boolean' },
  'since-ms?': ms,
  'reason?': { ...text, description: 'told to those who are refused' },
};

const OPERATIONS: Readonly<Record<string, Operation>> = {
  'GET /lake/v1/openapi.json': { summary: 'This description' },
  'GET /lake/v1/docs': { summary: 'This description, for people', answers: 'text/html' },
  'GET /lake/v1/maintenance': { summary: 'Whether changes are taken', answer: maintenance },
  'POST /lake/v1/maintenance': {
    summary:
      'Refuse changes on every server of the catalog (503, nothing applied), or take them again. Once it has answered, none is applied any more',
    body: { on: { type: 'boolean' }, 'reason?': text },
    answer: maintenance,
    refusals: { 403: 'The caller may not do this' },
  },
  'GET /lake/v1/principals': {
    summary: 'Service accounts',
    query: page,
    answer: { principals: list(members(principal)), ...next },
  },
  'POST /lake/v1/principals': {
    summary: 'Make a service account',
    body: { name: text, 'admin?': { type: 'boolean' } },
    answer: { ...principal, secret },
    refusals: { 403: 'The caller may not do this', 409: 'The name is taken' },
  },
  'POST /lake/v1/principals/{name}/rotate': {
    summary: 'Give a service account another secret; the old ones end after a while',
    body: { 'overlap-ms': ms },
    answer: { ...principal, secret, 'old-secret-until-ms': ms },
    refusals: REFUSED,
  },
  'POST /lake/v1/principals/{name}/state': {
    summary: 'Disable a service account, or enable it again',
    body: { disabled: { type: 'boolean' } },
    answer: principal,
    refusals: REFUSED,
  },
  'DELETE /lake/v1/principals/{name}': { summary: 'Remove a service account', refusals: REFUSED },
  'POST /lake/v1/signing-keys/rotate': {
    summary: 'Sign tokens by a new key; with revoke, those of the old ones end at once',
    body: { revoke: { type: 'boolean' } },
    refusals: { 403: 'The caller may not do this' },
  },
  'GET /lake/v1/roles': {
    summary: 'Roles and who is in them',
    query: page,
    answer: { roles: list(members(role)), ...next },
  },
  'POST /lake/v1/roles': {
    summary: 'Make a role',
    body: { name: text },
    answer: role,
    refusals: { 403: 'The caller may not do this', 409: 'The name is taken' },
  },
  'DELETE /lake/v1/roles/{name}': { summary: 'Remove a role and its grants', refusals: REFUSED },
  'POST /lake/v1/roles/{name}/members': {
    summary: 'Put somebody into a role',
    body: member,
    refusals: REFUSED,
  },
  'POST /lake/v1/roles/{name}/members/remove': {
    summary: 'Take somebody out of a role',
    body: member,
    refusals: REFUSED,
  },
  'GET /lake/v1/grants': {
    summary: 'Who may do what; of one grantee, or on one thing (`on` as JSON)',
    query: { 'grantee-kind': text, 'grantee-name': text, on: text, ...page },
    answer: {
      grants: list(members({ ...grant, 'granted-by': text, 'granted-at-ms': ms })),
      ...next,
    },
  },
  'POST /lake/v1/grants': { summary: 'Let somebody do something', body: grant, refusals: REFUSED },
  'POST /lake/v1/grants/revoke': { summary: 'Take a grant back', body: grant, refusals: REFUSED },
  'GET /lake/v1/audit': {
    summary: 'Who did what, and what was refused to whom; oldest first',
    query: { principal: text, outcome: text, 'from-ms': ms, 'to-ms': ms, ...page },
    answer: {
      entries: list(
        members({
          id: text,
          'at-ms': ms,
          principal: text,
          action: text,
          object: text,
          outcome: text,
          status: { type: ['integer', 'null'] },
          address: text,
          'request-id': text,
          'note?': text,
        }),
      ),
      ...next,
    },
    refusals: { 403: 'The caller may not do this' },
  },
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
        'Moves of tables between storage tiers (leases, journal, swap, ledger), dropped tables and their purge, metrics reports, accounts and grants, maintenance. The protocol itself is below /v1.',
    },
    paths,
  };
}

function operationOf(path: string, operation: Operation): Json {
  const { summary, query = {}, body, answer, answers, refusals = {} } = operation;
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
      ...(answers !== undefined
        ? { 200: { description: 'Done', content: { [answers]: {} } } }
        : answer === undefined && !path.endsWith('openapi.json')
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
