import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openApi } from '../../catalog/http/openapi.ts';

const ROUTES = join(import.meta.dirname, '../../catalog/routes');

it('describes every route below /lake/v1, and no other', () => {
  const registered = readdirSync(ROUTES).flatMap((name) => {
    const source = readFileSync(join(ROUTES, name), 'utf8');
    const calls = source.matchAll(/app\.(get|post|delete|head)\(\s*'(\/lake\/v1\/[^']+)'/g);
    return [...calls].map(([, method, path]) => `${method} ${path?.replaceAll(/:(\w+)/g, '{$1}')}`);
  });
  const paths = openApi()['paths'] as Record<string, object>;
  const described = Object.entries(paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method} ${path}`),
  );
  expect(described.sort()).toEqual(registered.sort());
  expect(described.length).toBeGreaterThan(15);
});
