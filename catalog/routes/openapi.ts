import { openApi } from '../http/openapi.ts';
import type { Route } from './route.ts';

/** GET /lake/v1/openapi.json: what this catalog offers beside the Iceberg REST protocol. */
export const openApiPage: Route = (app) => {
  app.get('/lake/v1/openapi.json', async () => openApi());
};
