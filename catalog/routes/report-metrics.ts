import * as z from 'zod';
import { stringifyJson } from '../../src/iceberg/json.ts';
import { allow, needs } from '../auth/access.ts';
import { bodyOf, branchOf } from '../http/request.ts';
import { noSuchTable } from '../store/not-there.ts';
import type { Route } from './route.ts';

/** Of each table the newest reports are kept: what its readers do now, not a history. */
const KEPT_REPORTS = 100;
const REPORT_LIMIT_BYTES = 1024 * 1024;

const body = z.looseObject({ 'report-type': z.string().min(1) });

/** POST /v1/namespaces/{namespace}/tables/{table}/metrics: keeps scan and commit reports of clients. */
export const reportMetrics: Route = (app, { store, clock }) => {
  app.post(
    '/v1/namespaces/:namespace/tables/:table/metrics',
    { bodyLimit: REPORT_LIMIT_BYTES, ...allow(needs('read', 'table-or-branch')) },
    async (request, reply) => {
      const { table } = branchOf(request);
      const report = stringifyJson(bodyOf(request, body));
      const pointer = await store.findTable(table);
      if (pointer === null) throw noSuchTable(table);
      const kept = { ...table, tableUuid: pointer.uuid, receivedAtMs: clock.now(), report };
      await store.addMetricsReport(kept, KEPT_REPORTS);
      return reply.code(204).send();
    },
  );
};
