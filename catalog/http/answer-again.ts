import type { FastifyReply, FastifyRequest } from 'fastify';
import * as z from 'zod';
import { isKind, LakeError } from '../../src/errors.ts';
import type { CatalogContext } from '../service/context.ts';
import { currentFile } from '../service/load-table.ts';
import { shownFile } from '../service/table-branch.ts';
import { currentView } from '../service/views.ts';
import type { AnswerAgain } from './idempotency.ts';
import { sendLoaded } from './loaded.ts';
import { bodyOf, branchOf, namespaceOf, viewOf } from './request.ts';

type Again = (context: CatalogContext, request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>;

const named = z.looseObject({ name: z.string() });
const created = z.looseObject({ namespace: z.array(z.string()) });
const changed = z.looseObject({
  removals: z.array(z.string()).default([]),
  updates: z.record(z.string(), z.unknown()).default({}),
});

const nothing: Again = async (_context, _request, reply) => reply.code(204).send();
const newTable: Again = async (context, request, reply) => {
  const table = { namespace: namespaceOf(request), name: bodyOf(request, named).name };
  return sendLoaded(reply, await currentFile(context, table));
};
const newView: Again = async (context, request, reply) => {
  const view = { namespace: namespaceOf(request), name: bodyOf(request, named).name };
  return sendLoaded(reply, await currentView(context, view));
};

/** By route: how the answer to a change that was applied is made from the state of the catalog. */
const AGAIN: Readonly<Record<string, Again>> = {
  'POST /v1/namespaces': async ({ store }, request, reply) => {
    const { namespace } = bodyOf(request, created);
    return reply.send({ namespace, properties: await store.loadNamespace(namespace) });
  },
  'POST /v1/namespaces/:namespace/properties': async (_context, request, reply) => {
    const { removals, updates } = bodyOf(request, changed);
    return reply.send({ updated: Object.keys(updates), removed: removals, missing: [] });
  },
  'DELETE /v1/namespaces/:namespace': nothing,
  'POST /v1/namespaces/:namespace/tables': newTable,
  'POST /v1/namespaces/:namespace/register': newTable,
  'POST /v1/namespaces/:namespace/tables/:table': async (context, request, reply) => {
    const named = branchOf(request);
    return sendLoaded(reply, await shownFile(context, named), named);
  },
  'DELETE /v1/namespaces/:namespace/tables/:table': nothing,
  'POST /v1/tables/rename': nothing,
  'POST /v1/transactions/commit': nothing,
  'POST /v1/namespaces/:namespace/views': newView,
  'POST /v1/namespaces/:namespace/register-view': newView,
  'POST /v1/namespaces/:namespace/views/:view': async (context, request, reply) =>
    sendLoaded(reply, await currentView(context, viewOf(request))),
  'DELETE /v1/namespaces/:namespace/views/:view': nothing,
  'POST /v1/views/rename': nothing,
};

/**
 * See `AnswerAgain`. What the answer tells of the state as it is now, is told only to who may still know it. A change that was made is never
 * answered as one that was refused: a client that believes so deletes the files that it wrote for it.
 * Errors: `unknown-outcome` for an answer that the catalog's state does not hold any more, or that the caller may not have; `unavailable`.
 */
export function answerAgainIn(
  context: CatalogContext,
  authorize: (request: FastifyRequest, reply: FastifyReply) => Promise<void>,
): AnswerAgain {
  return async (request, reply) => {
    const again = AGAIN[`${request.method} ${request.routeOptions.url}`];
    try {
      if (again !== undefined && again !== nothing) await authorize(request, reply);
      if (again !== undefined) return await again(context, request, reply);
    } catch (error) {
      if (isKind(error, 'unavailable', 'unknown-outcome')) throw error;
      throw answerLost(error);
    }
    throw answerLost();
  };
}

function answerLost(cause?: unknown): LakeError {
  return new LakeError('unknown-outcome', 'The change was applied, and its answer is lost', {
    hint: 'Delete nothing that it names, and load what it changed: it may have been dropped, renamed or hidden from you since.',
    ...(cause === undefined ? {} : { cause }),
  });
}
