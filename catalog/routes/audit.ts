import * as z from 'zod';
import { allow, needs } from '../auth/access.ts';
import { checked, extensionPageOf, tokenOf } from '../http/request.ts';
import { AUDIT_OUTCOMES, listAuditEntries, type StoredAuditEntry } from '../store/access-audit.ts';
import type { Route } from './route.ts';

const ms = z.coerce.number().int().min(0);
const filter = z.object({
  principal: z.string().optional(),
  outcome: z.enum(AUDIT_OUTCOMES).optional(),
  'from-ms': ms.optional(),
  'to-ms': ms.optional(),
});

function toJson(entry: StoredAuditEntry) {
  return {
    id: entry.id,
    'at-ms': entry.atMs,
    principal: entry.principal,
    action: entry.action,
    object: entry.object,
    outcome: entry.outcome,
    status: entry.status,
    address: entry.address,
    'request-id': entry.requestId,
    ...(entry.note === null ? {} : { note: entry.note }),
  };
}

/** GET /lake/v1/audit: who did what, and what was refused to whom; oldest first. */
export const auditLog: Route = (app, { auth }) => {
  app.get('/lake/v1/audit', allow(needs(['steward', 'manage'], 'catalog')), async (request) => {
    const { principal, outcome, 'from-ms': fromMs, 'to-ms': toMs } = checked(filter, request.query, 'query');
    const wanted = {
      ...(principal === undefined ? {} : { principal }),
      ...(outcome === undefined ? {} : { outcome }),
      ...(fromMs === undefined ? {} : { fromMs }),
      ...(toMs === undefined ? {} : { toMs }),
    };
    const page = await listAuditEntries(auth.access.sql, wanted, extensionPageOf(request));
    return { entries: page.rows.map(toJson), ...tokenOf(page.next) };
  });
};
