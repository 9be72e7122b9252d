import { aSnapshot, someRefs } from './bodies.ts';
import { NAMES } from './garbage.ts';
import { aLocation, aName, aNamespace, aTable, request, segment } from './names.ts';
import { type FuzzRequest, keyOf, type World } from './world.ts';

/** What lies below /lake/v1. */
export function lakeRequests(): (readonly [number, (world: World) => FuzzRequest])[] {
  const id = (world: World) => segment(world.dice.pick([...world.ids, ...world.dropped, 'x']));
  const uuid = (world: World) => {
    const known = [...world.tables.values()];
    return known.length > 0 ? (world.dice.pick(known).metadata?.['table-uuid'] ?? 'x') : 'x';
  };
  const listed = (world: World, path: string) => {
    const token = encodeURIComponent(world.dice.pick([...world.pageTokens, ...NAMES]).toWellFormed());
    return world.dice.chance(0.5)
      ? path
      : `${path}${path.includes('?') ? '&' : '?'}page-token=${token}&page-size=${world.dice.pick([1, 5, 0, -1, 'x'])}`;
  };
  return [
    [1, () => request('openapi', 'GET', '/lake/v1/openapi.json')],
    [1, (world) => request('all tables', 'GET', listed(world, '/lake/v1/tables'))],
    [
      2,
      (world) =>
        request(
          'lease',
          'POST',
          '/lake/v1/leases',
          { 'table-uuid': uuid(world), holder: 'fuzz', 'ttl-ms': world.dice.pick([1, 1000, 0, -1, 2 ** 53]) },
          (w, answer) => w.keep(w.ids, answer.json?.['lease-id']),
        ),
    ],
    [1, (world) => request('lease, again', 'POST', `/lake/v1/leases/${id(world)}/renew`, { 'ttl-ms': 1000 })],
    [1, (world) => request('lease, back', 'DELETE', `/lake/v1/leases/${id(world)}`)],
    [
      2,
      (world) => {
        const table = aTable(world);
        const relocation = `r${world.dice.int(1000)}`;
        const body = {
          'relocation-id': relocation,
          'lease-id': world.dice.pick([...world.ids, 'x']),
          ...table,
          table: table.name,
          'table-uuid': uuid(world),
          'grace-ms': 1,
          plan: world.dice.pick(world.pool),
        };
        return request('relocation', 'POST', '/lake/v1/relocations', body, (w) => w.keep(w.ids, relocation));
      },
    ],
    [
      1,
      (world) =>
        request(
          'relocations',
          'GET',
          listed(
            world,
            `/lake/v1/relocations${world.dice.pick(['', `/${id(world)}`, `/${id(world)}/moves`])}`,
          ),
        ),
    ],
    [
      1,
      (world) =>
        request('relocation state', 'POST', `/lake/v1/relocations/${id(world)}/state`, {
          'lease-id': world.dice.pick([...world.ids, 'x']),
          state: world.dice.pick(['rolled-back', 'finished', 'cleaned', 'copying', 'x']),
        }),
    ],
    [
      1,
      (world) =>
        request('moves', 'POST', `/lake/v1/relocations/${id(world)}/moves`, {
          'lease-id': world.dice.pick([...world.ids, 'x']),
          moves: world.dice.some(3, () => ({
            from: aLocation(world),
            to: aLocation(world),
            kind: world.dice.pick(['data', 'manifest', 'x']),
            size: 1,
          })),
        }),
    ],
    [
      1,
      (world) => {
        const held = [...world.tables.values()];
        const table = held.length > 0 ? world.dice.pick(held) : null;
        const body = {
          'lease-id': world.dice.pick([...world.ids, 'x']),
          'base-metadata-location': table?.location || 'x',
          snapshots: someRefs(table?.metadata).map((one) => ({
            'snapshot-id': one,
            'manifest-list': aLocation(world),
          })),
          fences: world.dice.some(1, () => ({ ref: 'main', snapshot: aSnapshot(world, table?.metadata) })),
          retired: [],
        };
        return request('swap', 'POST', `/lake/v1/relocations/${id(world)}/swap`, body);
      },
    ],
    [
      1,
      (world) =>
        request(
          'ledger',
          'GET',
          listed(
            world,
            `/lake/v1/ledger${world.dice.pick(['', '?state=due', `?table-uuid=${uuid(world)}`, '?due-at-ms=1'])}`,
          ),
        ),
    ],
    [
      1,
      (world) =>
        request('ledger deleted', 'POST', '/lake/v1/ledger/deleted', {
          locations: world.dice.some(2, () => aLocation(world)),
        }),
    ],
    [
      1,
      (world) =>
        request(
          'dropped tables',
          'GET',
          listed(world, `/lake/v1/dropped-tables${world.dice.pick(['', '?state=dropped', `/${id(world)}`])}`),
          undefined,
          (w, answer) => {
            for (const one of answer.json?.['dropped-tables'] ?? []) w.keep(w.dropped, one.id);
          },
        ),
    ],
    [
      1,
      (world) => {
        const to = { namespace: aNamespace(world), name: aName(world.dice) };
        return request('undrop', 'POST', `/lake/v1/dropped-tables/${id(world)}/undrop`, { to }, (w) =>
          w.tables.set(keyOf(to), { name: to, location: '', metadata: null }),
        );
      },
    ],
    [1, (world) => request('purge', 'POST', `/lake/v1/dropped-tables/${id(world)}/purge`, {})],
    [1, () => request('purges', 'POST', '/lake/v1/purges', {})],
    [
      1,
      (world) =>
        request(
          'metrics reports',
          'GET',
          listed(world, `/lake/v1/metrics-reports?table-uuid=${uuid(world)}`),
        ),
    ],
    [1, (world) => request('health', 'GET', world.dice.pick(['/health', '/health/live', '/health/ready']))],
  ];
}
