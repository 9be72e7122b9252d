import type { FastifyReply, FastifyRequest } from 'fastify';
import { isKind } from '../../src/errors.ts';
import type { FetchedPlan } from '../planning/scan-plans.ts';
import type { CatalogContext } from '../service/context.ts';
import type { NamedTable } from '../vending/own-folders.ts';
import { delegatedAccess } from './delegated-access.ts';
import { type ErrorBody, errorBody } from './error-response.ts';
import { notKept } from './loaded.ts';

/** REST spec: `FailedPlanningResult`: the table's own files cannot be read, and asking again does not help. */
type FailedPlan = { readonly status: 'failed' } & ErrorBody;

async function planOrFailure(
  request: FastifyRequest,
  planning: Promise<FetchedPlan>,
): Promise<FetchedPlan | FailedPlan> {
  try {
    return await planning;
  } catch (error) {
    if (!isKind(error, 'corrupt')) throw error;
    request.log.error(error);
    return { status: 'failed', ...errorBody(error) };
  }
}

/** Sends a plan, with credentials for the files that it names if the client asks for such (REST spec: `CompletedPlanningResult.storage-credentials`). */
export async function sendPlan(
  context: CatalogContext,
  request: FastifyRequest,
  reply: FastifyReply,
  named: NamedTable,
  planning: Promise<FetchedPlan>,
): Promise<FastifyReply> {
  const plan = await planOrFailure(request, planning);
  const access = plan.status === 'completed' ? await delegatedAccess(context, request, named) : null;
  if (access === null || access.storageCredentials.length === 0) return reply.send(plan);
  return notKept(reply, access).send({ ...plan, 'storage-credentials': access.storageCredentials });
}
