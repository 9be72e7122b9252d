import { allow } from '../auth/access.ts';
import { openApi } from '../http/openapi.ts';
import { openApiPageOf } from '../http/openapi-page.ts';
import type { Route } from './route.ts';

/** The page has no scripts and asks nobody for anything. */
const CONTENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'";

/** GET /lake/v1/openapi.json and, for people, /lake/v1/docs: what this catalog offers beside the Iceberg REST protocol. */
export const openApiPage: Route = (app) => {
  app.get('/lake/v1/openapi.json', allow('authenticated'), async () => openApi());
  app.get('/lake/v1/docs', allow('public'), async (_request, reply) =>
    reply
      .type('text/html; charset=utf-8')
      .header('content-security-policy', CONTENT_POLICY)
      .serializer(String)
      .send(openApiPageOf(openApi())),
  );
};
