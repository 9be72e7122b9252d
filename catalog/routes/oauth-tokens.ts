import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isKind } from '../../src/errors.ts';
import { allow } from '../auth/access.ts';
import type { Auth } from '../auth/auth.ts';
import { ANONYMOUS } from '../auth/caller.ts';
import { challengeOf } from '../auth/unauthorized.ts';
import { errorBody, retryAfter } from '../http/error-response.ts';
import type { Route } from './route.ts';

const BODY_LIMIT_BYTES = 16 * 1024;
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
/** The one scope there is: what a token may do is a matter of grants. */
const SCOPE = 'catalog';

/** Why no token is given (RFC 6749, section 5.2). */
type Refusal = 'invalid_request' | 'invalid_client' | 'unsupported_grant_type';

/**
 * POST /v1/oauth/tokens: a token for a client id and its secret (RFC 6749, section 4.4). In the REST spec the endpoint is deprecated, and
 * yet what `credential` means to every engine.
 */
export const oauthTokens: Route = (app, { auth }) => {
  app.register(async (inner: FastifyInstance) => {
    inner.addContentTypeParser(
      'application/x-www-form-urlencoded',
      { parseAs: 'string', bodyLimit: BODY_LIMIT_BYTES },
      (_request, body, done) => done(null, Object.fromEntries(new URLSearchParams(String(body)))),
    );
    inner.post('/v1/oauth/tokens', { bodyLimit: BODY_LIMIT_BYTES, ...allow('public') }, (request, reply) =>
      token(auth, request, reply),
    );
    // Also for a body of another form, or too long: whoever asks here reads errors of OAuth.
    inner.setErrorHandler((error, request, reply) => {
      const { code, message } = errorBody(error).error;
      if (code < 500) return refused(reply, code, 'invalid_request', message);
      request.log.error(error);
      const wait = retryAfter(error, code);
      if (wait !== null) reply.header('retry-after', String(wait));
      return refused(reply, code, 'invalid_request', message);
    });
  });
};

async function token(auth: Auth, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  reply.header('cache-control', 'no-store');
  const form = formOf(request.body);
  const grant = form['grant_type'];
  if (grant === undefined) return refused(reply, 400, 'invalid_request', 'grant_type is missing');
  if (grant !== 'client_credentials') {
    return refused(
      reply,
      400,
      'unsupported_grant_type',
      'Tokens are given for client credentials only; do not exchange or refresh them (token-exchange-enabled=false), ask for a new one',
    );
  }
  const client = credentialsOf(request, form);
  if (client === null)
    return refused(reply, 400, 'invalid_request', 'client_id and client_secret are missing');
  try {
    const { token, lifetimeMs } = await auth.signIn(client.id, client.secret, request.ip);
    return await reply.send({
      access_token: token,
      token_type: 'bearer',
      expires_in: Math.floor(lifetimeMs / 1000),
      issued_token_type: ACCESS_TOKEN,
      scope: SCOPE,
    });
  } catch (error) {
    return notSignedIn(auth, request, reply, { client: client.id, error });
  }
}

async function notSignedIn(
  auth: Auth,
  request: FastifyRequest,
  reply: FastifyReply,
  { client, error }: { readonly client: string; readonly error: unknown },
): Promise<FastifyReply> {
  const { code, message } = errorBody(error).error;
  if (!isKind(error, 'forbidden') && code !== 429) throw error;
  await auth.audit.refused(request, ANONYMOUS, {
    status: code,
    note: message,
    // A secret may be sent in the place of the id by mistake.
    object: client.startsWith('lake_') ? 'principal' : `principal ${client}`,
    outcome: 'failed',
  });
  const wait = retryAfter(error, code);
  if (wait !== null) reply.header('retry-after', String(wait));
  // RFC 6749: who came with Basic is asked for Basic again.
  if (challengeOf(error) !== undefined) reply.header('www-authenticate', 'Basic realm="lakewarden"');
  return refused(reply, code, 'invalid_client', message);
}

function refused(reply: FastifyReply, status: number, error: Refusal, description: string): FastifyReply {
  return reply
    .code(status)
    .type('application/json; charset=utf-8')
    .send({ error, error_description: description });
}

function formOf(body: unknown): Readonly<Record<string, string>> {
  if (typeof body !== 'object' || body === null) return {};
  const texts = Object.entries(body).flatMap(([key, value]) =>
    typeof value === 'string' ? [[key, value] as const] : [],
  );
  return Object.fromEntries(texts);
}

/** From the Basic header (its parts are form-encoded: RFC 6749, section 2.3.1), else from the form. */
function credentialsOf(
  request: FastifyRequest,
  form: Readonly<Record<string, string>>,
): { readonly id: string; readonly secret: string } | null {
  const [, basic] = /^basic +([\w+/=-]+) *$/i.exec(request.headers.authorization ?? '') ?? [];
  if (basic !== undefined) {
    const text = Buffer.from(basic, 'base64').toString();
    const colon = text.indexOf(':');
    return colon < 1
      ? null
      : { id: formDecoded(text.slice(0, colon)), secret: formDecoded(text.slice(colon + 1)) };
  }
  const { client_id: id, client_secret: secret } = form;
  return id === undefined || secret === undefined || id === '' ? null : { id, secret };
}

function formDecoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}
