import type { FastifyInstance, FastifyReply } from 'fastify';
import type { CatalogContext } from '../service/context.ts';

/** Adds one verb of the API to the app. */
export type Route = (app: FastifyInstance, context: CatalogContext) => void;

/** Sends what is JSON already. */
export function sendJson(reply: FastifyReply, text: string | Uint8Array): FastifyReply {
  return reply.type('application/json; charset=utf-8').send(text);
}
