import { KEY_LIFETIME } from '../http/idempotency.ts';
import type { Route } from './route.ts';

/**
 * GET /v1/config. Standard clients believe the list of endpoints (REST spec: `CatalogConfig.endpoints`), so it is made of the routes
 * that the app has, and of no others.
 */
export const getConfig: Route = (app, { endpoints }) => {
  app.get('/v1/config', async () => ({
    defaults: {},
    overrides: { 'namespace-separator': '%1F' },
    endpoints,
    'idempotency-key-lifetime': KEY_LIFETIME,
  }));
};

/** A route below `/v1` as the REST spec writes it, with its prefix; null for what is no endpoint of a catalog. */
export function endpointOf(method: string, url: string): string | null {
  if (!url.startsWith('/v1/') || url === '/v1/config') return null;
  return `${method} /v1/{prefix}/${url.slice('/v1/'.length).replaceAll(/:(\w+)/g, '{$1}')}`;
}
