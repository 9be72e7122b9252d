import { LakeError } from '../../src/errors.ts';

/** 401: the caller is not known. `challenge` is what `WWW-Authenticate` says (RFC 6750). */
export function unauthorized(
  message: string,
  challenge: 'none' | 'invalid_token' = 'invalid_token',
  cause?: unknown,
): LakeError {
  return new LakeError('forbidden', message, {
    hint: 'Nothing was done: sign in (POST /v1/oauth/tokens, or your OIDC issuer) and send the token as `Authorization: Bearer`.',
    context: { type: 'NotAuthorizedException', challenge },
    ...(cause === undefined ? {} : { cause }),
  });
}

/** The header of a 401 answer; undefined for other errors. */
export function challengeOf(error: unknown): string | undefined {
  if (!(error instanceof LakeError) || error.context['type'] !== 'NotAuthorizedException') return undefined;
  const realm = 'Bearer realm="lakewarden"';
  return error.context['challenge'] === 'invalid_token' ? `${realm}, error="invalid_token"` : realm;
}
