import { allow } from '../auth/access.ts';
import { KEY_LIFETIME } from '../http/idempotency.ts';
import type { Route } from './route.ts';

/**
 * GET /v1/config. Standard clients believe the list of endpoints (REST spec: `CatalogConfig.endpoints`), so it is made of the routes
 * that the app has, and of no others.
 */
export const getConfig: Route = (app, { auth, endpoints, namespaceSeparator, scanPlanningMode }) => {
  const defaults = {
    ...(scanPlanningMode === undefined ? {} : { 'scan-planning-mode': scanPlanningMode }),
    // Java's client would renew its tokens by an exchange, and not ask for new ones.
    ...(auth.isOn ? { 'token-exchange-enabled': 'false' } : {}),
  };
  const overrides = { 'namespace-separator': encodeURIComponent(namespaceSeparator) };
  app.get('/v1/config', allow('public'), async () => ({
    defaults,
    overrides,
    endpoints,
    'idempotency-key-lifetime': KEY_LIFETIME,
  }));
};

/** A route below `/v1` as the REST spec writes it, with its prefix; null for what is no endpoint of a catalog. */
export function endpointOf(method: string, url: string): string | null {
  if (!url.startsWith('/v1/') || url === '/v1/config' || url === '/v1/oauth/tokens') return null;
  return `${method} /v1/{prefix}/${url.slice('/v1/'.length).replaceAll(/:(\w+)/g, (_, name: string) => `{${kebabCase(name)}}`)}`;
}

/** Names in our routes have no hyphens, those of the spec do. */
function kebabCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
