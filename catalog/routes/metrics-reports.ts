import * as z from 'zod';
import { parseJson } from '../../src/iceberg/json.ts';
import { allow, needsOnTableOrAll } from '../auth/access.ts';
import { checked, extensionPageOf, tokenOf } from '../http/request.ts';
import type { MetricsReport } from '../store/catalog-store.ts';
import type { Route } from './route.ts';

const filter = z.object({ 'table-uuid': z.string().min(1) });

function toJson({ namespace, name, tableUuid, receivedAtMs, report }: MetricsReport) {
  return {
    namespace,
    table: name,
    'table-uuid': tableUuid,
    'received-at-ms': receivedAtMs,
    report: parseJson(report),
  };
}

/** GET /lake/v1/metrics-reports: the newest scan and commit reports of a table, oldest first. */
export const metricsReports: Route = (app, { store }) => {
  app.get('/lake/v1/metrics-reports', allow(needsOnTableOrAll(['maintain', 'steward'])), async (request) => {
    const { 'table-uuid': uuid } = checked(filter, request.query, 'query');
    const page = await store.listMetricsReports(uuid, extensionPageOf(request));
    return { reports: page.rows.map(toJson), ...tokenOf(page.next) };
  });
};
