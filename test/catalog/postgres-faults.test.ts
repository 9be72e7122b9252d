import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AppliedRequest, runAs } from '../../catalog/store/applied-request.ts';
import { openCatalogStore, openSqlDatabase } from '../../catalog/store/open-store.ts';
import type { SqlStore } from '../../catalog/store/sql-store.ts';
import { systemClock } from '../../src/clock.ts';
import { isKind } from '../../src/errors.ts';
import { postgresOfFile } from '../postgres/catalog.ts';
import { type Cut, CuttingProxy } from '../postgres/cutting-proxy.ts';

const postgres = postgresOfFile();
const NAMESPACE = ['n'];
const named = (name: string) => ({ namespace: NAMESPACE, name, uuid: name });

describe.skipIf(postgres.missing !== null)('PostgreSQL whose connections fail', () => {
  let place: string;
  let proxy: CuttingProxy;
  let store: SqlStore;
  let direct: SqlStore;
  let admin: pg.Client;
  beforeEach(async () => {
    place = postgres.place();
    proxy = await CuttingProxy.before(postgres.url());
    admin = new pg.Client(postgres.url());
    await admin.connect();
    direct = await openCatalogStore(place, systemClock);
    await direct.createNamespace(NAMESPACE, {});
    for (const name of ['t0', 't1', 't2']) {
      await direct.changePointers([{ ...named(name), metadataLocation: 'm0', expected: null }]);
    }
    store = await openCatalogStore(proxy.through(place), systemClock);
  });
  afterEach(async () => {
    await store.close();
    await direct.close();
    await admin.end();
    await proxy.close();
  });

  const pointerOf = async (name: string) => (await direct.findTable(named(name)))?.metadataLocation;

  /** What is cut off may still run in the server: its end decides. */
  async function untilNothingRuns(): Promise<void> {
    const running = `SELECT 1 FROM pg_stat_activity WHERE application_name = 'lakewarden' AND state <> 'idle'`;
    while ((await admin.query(running)).rows.length > 0) await systemClock.sleep(5);
  }

  interface Told {
    readonly outcome: unknown;
    readonly isApplied: boolean;
  }

  /** Outcome told and outcome true agree. */
  function expectTruth({ outcome, isApplied }: Told, cutAt: string | null): void {
    if (outcome === 'done') expect(isApplied).toBe(true);
    else if (isKind(outcome, 'unknown-outcome')) expect(cutAt).toBe('COMMIT');
    else {
      expect(outcome).toMatchObject({ kind: expect.stringMatching(/^(unavailable|conflict)$/) });
      expect(isApplied).toBe(false);
    }
  }

  const told = (change: Promise<unknown>): Promise<unknown> =>
    change.then(
      () => 'done',
      (error: unknown) => error,
    );

  it.each(['before', 'after'] as const)(
    'tells the truth of a change cut %s any of its statements',
    async (when) => {
      const reached: string[] = [];
      for (let statement = 1, version = 0; ; statement++) {
        proxy.arm({ statement, when });
        const request: AppliedRequest = {
          key: `k${statement}`,
          digest: 'd',
          createdAtMs: 0,
          noted: false,
          replayed: false,
        };
        const fences = [{ ref: 'main', snapshotId: BigInt(statement), untilMs: 1, afterSequenceNumber: 0 }];
        const next = `m${statement}-${when}`;
        const expected = (await pointerOf('t0')) ?? '';
        const change = { ...named('t0'), metadataLocation: next, expected, fences };
        const outcome = await told(runAs([request], () => store.changePointers([change])));
        await untilNothingRuns();
        const isApplied = (await pointerOf('t0')) === next;
        expectTruth({ outcome, isApplied }, proxy.cutAt);
        expect((await direct.findIdempotencyRecord(request.key)) !== null).toBe(isApplied);
        expect(
          (await direct.guardedFences('t0', 0)).some(({ snapshotId }) => snapshotId === BigInt(statement)),
        ).toBe(isApplied);
        expect(request.noted).toBe(isApplied || isKind(outcome, 'unknown-outcome'));
        if (proxy.cutAt === null) break;
        reached.push(proxy.cutAt);
        if (proxy.cutAt === 'COMMIT') expect(isApplied).toBe(when === 'after');
        // The next change finds another connection.
        await store.changePointers([
          { ...named('t1'), expected: `m${version}`, metadataLocation: `m${++version}` },
        ]);
      }
      expect(reached[0]).toMatch(/^BEGIN/);
      expect(reached).toContain('COMMIT');
      expect(reached.filter((one) => one === 'execute').length).toBeGreaterThanOrEqual(4);
    },
  );

  it.each(['before', 'after'] as const)(
    'tells each of a group the truth, cut %s any statement',
    async (when) => {
      let isCut = true;
      for (let statement = 1; isCut; statement++) {
        const before = await Promise.all(['t0', 't1', 't2'].map(pointerOf));
        proxy.arm({ statement, when });
        const outcomes = await Promise.all(
          ['t0', 't1', 't2'].map((name, at) => {
            const expected = name === 't1' ? 'stale' : (before[at] ?? '');
            return told(
              store.changePointers([{ ...named(name), metadataLocation: `${name}-${statement}`, expected }]),
            );
          }),
        );
        await untilNothingRuns();
        for (const [at, name] of ['t0', 't1', 't2'].entries()) {
          const isApplied = (await pointerOf(name)) === `${name}-${statement}`;
          expectTruth({ outcome: outcomes[at], isApplied }, proxy.cutAt);
          if (name === 't1') expect(isKind(outcomes[at], 'conflict', 'unavailable')).toBe(true);
        }
        isCut = proxy.cutAt !== null;
      }
    },
  );

  it('survives a server that ends its sessions in the middle of a change', async () => {
    const end: Cut['when'] = async () => {
      await admin.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'lakewarden'",
      );
    };
    let isCut = true;
    for (let statement = 1; isCut; statement++) {
      proxy.arm({ statement, when: end });
      const expected = (await pointerOf('t0')) ?? '';
      const change = { ...named('t0'), metadataLocation: `m${statement}`, expected };
      const outcome = await told(store.changePointers([change]));
      await untilNothingRuns();
      expectTruth({ outcome, isApplied: (await pointerOf('t0')) === `m${statement}` }, proxy.cutAt);
      isCut = proxy.cutAt !== null;
    }
  });

  it('reads on after lost connections, and says so while there is no server', async () => {
    const names = Array.from({ length: 20 }, () => store.findTable(named('t0')));
    await Promise.all(names);
    await admin.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'lakewarden'",
    );
    expect((await store.findTable(named('t0')))?.metadataLocation).toBe('m0');
    proxy.isDown = true;
    const change = { ...named('t0'), metadataLocation: 'm1', expected: 'm0' };
    const refusal = { kind: 'unavailable', where: expect.not.stringContaining('lake@') };
    await expect(store.findTable(named('t0'))).rejects.toMatchObject(refusal);
    await expect(store.changePointers([change])).rejects.toMatchObject(refusal);
    proxy.isDown = false;
    expect(await pointerOf('t0')).toBe('m0');
    await store.changePointers([change]);
    expect((await store.findTable(named('t0')))?.metadataLocation).toBe('m1');
  });

  const within = (name: string, ms: number) => `${place}&options=${encodeURIComponent(`-c ${name}=${ms}`)}`;

  it('is not held up for ever by another server that hangs in a transaction', async () => {
    const hanging = await openSqlDatabase(within('idle_in_transaction_session_timeout', 300), systemClock);
    const { promise: hang, resolve: wake } = Promise.withResolvers<void>();
    const { promise: began, resolve: begin } = Promise.withResolvers<void>();
    const change = hanging.transaction(async (sql) => {
      await sql.run("INSERT INTO namespaces VALUES ('half', '{}')");
      begin();
      await hang;
      await sql.run("INSERT INTO namespaces VALUES ('whole', '{}')");
    });
    await began;
    await direct.createNamespace(['other'], {});
    wake();
    await expect(change).rejects.toMatchObject({ kind: 'unavailable' });
    expect((await direct.listNamespaces([], {})).rows).toEqual([['n'], ['other']]);
    await hanging.run("INSERT INTO namespaces VALUES ('again', '{}')");
    await hanging.close();
  });

  it('gives up waiting for another server, having applied nothing', async () => {
    const database = await openSqlDatabase(place, systemClock);
    const impatient = await openCatalogStore(within('lock_timeout', 200), systemClock);
    await database.transaction(async () => {
      await expect(impatient.createNamespace(['late'], {})).rejects.toMatchObject({
        kind: 'unavailable',
        hint: expect.stringContaining('Another server'),
      });
      const change = { ...named('t0'), metadataLocation: 'm1', expected: 'm0' };
      await expect(impatient.changePointers([change])).rejects.toMatchObject({ kind: 'unavailable' });
    });
    await impatient.createNamespace(['late'], {});
    await database.transaction(async () => {
      // Named changes of other servers go on beside this one, which has named something else.
      await impatient.changePointers([{ ...named('t0'), metadataLocation: 'm1', expected: 'm0' }]);
    }, ['Table n\u001ft1']);
    await impatient.close();
    await database.close();
  });

  it('says what is wrong with a URL or a server, without the password', async () => {
    const server = new URL(postgres.url());
    const cases = [
      [`postgres://lake:secret@${server.host}/none`, 'unavailable', 'Create the database'],
      ['postgres://u:secret@127.0.0.1:1/none', 'unavailable', 'Check that the server runs'],
      [`postgres://u:secret@${server.host}/x?schema=Robert'); --`, 'usage', '?schema=NAME'],
      [`postgres://u:secret@${server.host}/x?sslmode=verify-ca`, 'usage', 'Write postgres://'],
      ['postgres://u:secret@host:port/x', 'usage', 'Write postgres://'],
    ] as const;
    for (const [url, kind, hint] of cases) {
      const error: unknown = await openSqlDatabase(url, systemClock).catch((problem: unknown) => problem);
      expect(error).toMatchObject({ kind, hint: expect.stringContaining(hint) });
      expect(JSON.stringify([String(error), error])).not.toContain('secret');
    }
    await admin.query("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
    const latin = new URL(postgres.url());
    latin.pathname = '/latin';
    await expect(openSqlDatabase(latin.href, systemClock)).rejects.toMatchObject({ kind: 'unsupported' });
    await admin.query('DROP DATABASE latin');
  });

  it('leaves a schema of a newer version alone', async () => {
    const schema = new URL(place).searchParams.get('schema');
    await admin.query(`UPDATE ${schema}.schema_version SET version = 99`);
    await expect(openCatalogStore(place, systemClock)).rejects.toMatchObject({ kind: 'unsupported' });
    expect((await admin.query(`SELECT version FROM ${schema}.schema_version`)).rows).toEqual([
      { version: '99' },
    ]);
  });
});
