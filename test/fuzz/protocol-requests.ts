import { aCommit, anOrder, aPlan, aSchema, aSpec, aViewVersion, someProperties } from './bodies.ts';
import {
  aLocation,
  aName,
  aNamespace,
  aTable,
  aView,
  levelsPath,
  namespacePath,
  request,
  segment,
  tablePath,
  viewPath,
  withPage,
} from './names.ts';
import { type FuzzRequest, type Json, keyOf, type World } from './world.ts';

/** Requests of the Iceberg protocol that make sense, mostly, by how often they come. */
export const PROTOCOL_REQUESTS: readonly (readonly [number, (world: World) => FuzzRequest])[] = [
  [1, () => request('config', 'GET', '/v1/config?warehouse=x')],
  [
    3,
    (world) => {
      const known = [...world.namespaces.values()];
      const parent = known.length > 0 && world.dice.chance(0.3) ? world.dice.pick(known) : [];
      const namespace = [...parent, aName(world.dice)];
      return request(
        'create namespace',
        'POST',
        '/v1/namespaces',
        { namespace, properties: someProperties(world) },
        (w) => {
          for (let end = 1; end <= namespace.length; end++) {
            const levels = namespace.slice(0, end);
            w.namespaces.set(levels.join('\u001f'), levels);
          }
        },
      );
    },
  ],
  [
    2,
    (world) =>
      request(
        'list namespaces',
        'GET',
        withPage(
          world,
          world.dice.chance(0.5)
            ? '/v1/namespaces'
            : `/v1/namespaces?parent=${levelsPath(aNamespace(world))}`,
        ),
      ),
  ],
  [
    1,
    (world) =>
      request('load namespace', world.dice.pick(['GET', 'HEAD'] as const), namespacePath(aNamespace(world))),
  ],
  [
    1,
    (world) =>
      request('namespace properties', 'POST', `${namespacePath(aNamespace(world))}/properties`, {
        updates: someProperties(world),
        removals: world.dice.some(2, () => world.dice.pick(['a', 'owner'])),
      }),
  ],
  [
    1,
    (world) => {
      const namespace = aNamespace(world);
      return request('drop namespace', 'DELETE', namespacePath(namespace), undefined, (w) => {
        w.namespaces.delete(namespace.join('\u001f'));
      });
    },
  ],
  [
    8,
    (world) => {
      const { dice } = world;
      const name = { namespace: aNamespace(world), name: aName(dice) };
      const staged = dice.chance(0.1);
      const body = {
        name: name.name,
        schema: aSchema(dice),
        ...(dice.chance(0.2) ? { location: aLocation(world) } : {}),
        ...(dice.chance(0.3) ? { 'partition-spec': aSpec(dice) } : {}),
        ...(dice.chance(0.2) ? { 'write-order': anOrder(dice) } : {}),
        ...(staged ? { 'stage-create': true } : {}),
        properties: someProperties(world),
      };
      return request('create table', 'POST', `${namespacePath(name.namespace)}/tables`, body, (w, answer) => {
        if (!staged) w.holdsTable(name, answer);
      });
    },
  ],
  [
    2,
    (world) =>
      request(
        'list tables',
        'GET',
        withPage(world, `${namespacePath(aNamespace(world))}/${world.dice.pick(['tables', 'views'])}`),
      ),
  ],
  [
    6,
    (world) => {
      const table = aTable(world);
      const url = `${tablePath(table)}${world.dice.pick(['', '?snapshots=refs', '?snapshots=all', '?snapshots=x'])}`;
      const headers = world.dice.chance(0.3) ? { 'if-none-match': world.dice.pick(world.etags) } : {};
      const made = request(
        'load table',
        world.dice.pick(['GET', 'GET', 'HEAD'] as const),
        url,
        undefined,
        (w, answer) => {
          if (answer.status === 200 && answer.json !== null && !url.includes('refs'))
            w.holdsTable(table, answer);
        },
      );
      return { ...made, headers };
    },
  ],
  [
    20,
    (world) => {
      const table = aTable(world);
      return request('commit', 'POST', tablePath(table), aCommit(world, table), (w, answer) =>
        w.holdsTable(table, answer),
      );
    },
  ],
  [
    3,
    (world) => {
      const tables = [
        ...new Map(
          Array.from({ length: 1 + world.dice.int(3) }, () => aTable(world)).map((one) => [keyOf(one), one]),
        ).values(),
      ];
      return request(
        'transaction',
        'POST',
        '/v1/transactions/commit',
        { 'table-changes': tables.map((one) => aCommit(world, one)) },
        (w) => {
          // Committed: one that was asserted to be new may be there now.
          for (const one of tables)
            if (!w.tables.has(keyOf(one)))
              w.tables.set(keyOf(one), { name: one, location: '', metadata: null });
        },
      );
    },
  ],
  [
    2,
    (world) => {
      const table = aTable(world);
      const purge = world.dice.pick([
        '',
        '?purgeRequested=true',
        '?purgeRequested=false',
        '?purgeRequested=maybe',
      ]);
      return request('drop table', 'DELETE', `${tablePath(table)}${purge}`, undefined, (w) =>
        w.tables.delete(keyOf(table)),
      );
    },
  ],
  [
    2,
    (world) => {
      const source = aTable(world);
      const destination = { namespace: aNamespace(world), name: aName(world.dice) };
      return request('rename table', 'POST', '/v1/tables/rename', { source, destination }, (w) => {
        const held = w.tables.get(keyOf(source));
        w.tables.delete(keyOf(source));
        w.tables.set(keyOf(destination), { location: '', metadata: null, ...held, name: destination });
      });
    },
  ],
  [
    4,
    (world) => {
      const name = world.dice.chance(0.2)
        ? aTable(world)
        : { namespace: aNamespace(world), name: aName(world.dice) };
      const at = world.dice.chance(0.6)
        ? world.dice.pick(world.metadataFiles)
        : `${aLocation(world)}/v1.metadata.json`;
      const body = { name: name.name, 'metadata-location': at, overwrite: world.dice.chance(0.2) };
      return request(
        'register table',
        'POST',
        `${namespacePath(name.namespace)}/register`,
        body,
        (w, answer) => w.holdsTable(name, answer),
      );
    },
  ],
  [
    1,
    (world) => {
      const table = aTable(world);
      return request('unregister table', 'POST', `${tablePath(table)}/unregister`, {}, (w, answer) => {
        w.tables.delete(keyOf(table));
        w.keep(w.metadataFiles, answer.json?.['metadata-location']);
      });
    },
  ],
  [
    3,
    (world) => {
      const name = { namespace: aNamespace(world), name: aName(world.dice) };
      const body = {
        name: name.name,
        schema: aSchema(world.dice),
        'view-version': aViewVersion(world, name.namespace),
        properties: someProperties(world),
        ...(world.dice.chance(0.4) ? { location: aLocation(world) } : {}),
      };
      return request('create view', 'POST', `${namespacePath(name.namespace)}/views`, body, (w) =>
        w.views.set(keyOf(name), name),
      );
    },
  ],
  [1, (world) => request('load view', world.dice.pick(['GET', 'HEAD'] as const), viewPath(aView(world)))],
  [
    2,
    (world) => {
      const view = aView(world);
      const updates = world.dice.pick<Json>([
        [{ action: 'set-properties', updates: someProperties(world) }],
        [{ action: 'set-location', location: aLocation(world) }],
        [
          { action: 'add-schema', schema: aSchema(world.dice) },
          { action: 'add-view-version', 'view-version': aViewVersion(world, view.namespace) },
          { action: 'set-current-view-version', 'view-version-id': -1 },
        ],
      ]);
      return request('replace view', 'POST', viewPath(view), { requirements: [], updates });
    },
  ],
  [
    1,
    (world) => {
      const view = aView(world);
      return request('drop view', 'DELETE', viewPath(view), undefined, (w) => w.views.delete(keyOf(view)));
    },
  ],
  [
    1,
    (world) => {
      const source = aView(world);
      const destination = { namespace: aNamespace(world), name: aName(world.dice) };
      return request('rename view', 'POST', '/v1/views/rename', { source, destination }, (w) => {
        w.views.delete(keyOf(source));
        w.views.set(keyOf(destination), destination);
      });
    },
  ],
  [
    1,
    (world) => {
      const name = { namespace: aNamespace(world), name: aName(world.dice) };
      const body = { name: name.name, 'metadata-location': world.dice.pick(world.metadataFiles) };
      return request('register view', 'POST', `${namespacePath(name.namespace)}/register-view`, body, (w) =>
        w.views.set(keyOf(name), name),
      );
    },
  ],
  [
    1,
    (world) =>
      request('report metrics', 'POST', `${tablePath(aTable(world))}/metrics`, {
        'report-type': 'scan-report',
        'table-name': 't',
        metrics: world.dice.pick(world.pool),
      }),
  ],
  [
    6,
    (world) => {
      const table = aTable(world);
      return request('plan scan', 'POST', `${tablePath(table)}/plan`, aPlan(world, table), (w, answer) => {
        w.keep(w.planIds, answer.json['plan-id']);
        for (const task of answer.json['plan-tasks'] ?? []) w.keep(w.planTasks, task);
      });
    },
  ],
  [
    2,
    (world) =>
      request(
        'fetch plan',
        world.dice.pick(['GET', 'DELETE'] as const),
        `${tablePath(aTable(world))}/plan/${segment(world.dice.pick([...world.planIds, 'x']))}`,
      ),
  ],
  [
    2,
    (world) =>
      request('fetch tasks', 'POST', `${tablePath(aTable(world))}/tasks`, {
        'plan-task': world.dice.pick([...world.planTasks, ...world.planIds, 'x']),
      }),
  ],
  [
    1,
    (world) =>
      request(
        'credentials',
        'GET',
        `${tablePath(aTable(world))}/credentials${world.dice.pick(['', '?planId=x'])}`,
      ),
  ],
  [
    1,
    (world) =>
      request('sign', 'POST', world.dice.pick([`${tablePath(aTable(world))}/sign`, '/v1/aws/s3/sign']), {
        region: 'x',
        uri: aLocation(world),
        method: world.dice.pick(['GET', 'PUT', 'DELETE', 'X']),
        headers: { a: ['b'] },
      }),
  ],
];
