import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { beforeAll, expect, it } from 'vitest';
import { buildCatalogApp } from '../../catalog/app.ts';
import { openApi } from '../../catalog/http/openapi.ts';
import { Serving } from '../../catalog/operations/serving.ts';
import { openCatalogStore } from '../../catalog/store/open-store.ts';
import { systemClock } from '../../src/clock.ts';
import { openStore } from '../../src/storage/store.ts';

const registered: string[] = [];
let app: FastifyInstance;

/** Notes every route that the app registers. */
class RouteList extends Serving {
  override install(listed: FastifyInstance): void {
    listed.addHook('onRoute', ({ method, url }) => {
      for (const one of [method].flat()) {
        if (url.startsWith('/lake/v1'))
          registered.push(`${one.toLowerCase()} ${url.replaceAll(/:(\w+)/g, '{$1}')}`);
      }
    });
  }
}

beforeAll(async () => {
  const log = pino({ level: 'silent' });
  const parts = { options: {}, clock: systemClock, version: '1', log, principalOf: () => null };
  app = buildCatalogApp({
    store: await openCatalogStore(':memory:', systemClock),
    objects: openStore(),
    clock: systemClock,
    warehouse: 'memory://warehouse',
    serving: new RouteList(parts),
    logger: log,
  });
});

it('describes every route below /lake/v1, and no other', () => {
  const paths = openApi()['paths'] as Record<string, object>;
  const described = Object.entries(paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method} ${path}`),
  );
  expect(described.sort()).toEqual(registered.sort());
  expect(described.length).toBeGreaterThan(30);
});

it('shows each of them on a page that asks no other server for anything', async () => {
  const { body, headers, statusCode } = await app.inject('/lake/v1/docs');
  expect(statusCode).toBe(200);
  expect(headers['content-type']).toBe('text/html; charset=utf-8');
  for (const route of registered) {
    const [method = '', path = ''] = route.split(' ');
    expect(body).toContain(`<b>${method.toUpperCase()}</b> ${path}</code>`);
  }
  expect(body).not.toMatch(/<script|src=|https?:\/\//);
  await app.close();
});
