import { z } from 'zod';
import { durationHint, durationMs, isDuration, parseDuration } from '../policy/duration.ts';

const duration = z
  .string()
  .refine(isDuration, { error: (issue) => `no duration: ${durationHint(String(issue.input))}` });
/** Keys that came over an open network would be anybody's. */
const address = z
  .url({ protocol: /^https?$/, error: 'an address such as https://login.example.org' })
  .refine(
    (text) => text.startsWith('https:') || /^http:\/\/(localhost|127\.[\d.]+|\[::1\])([:/]|$)/.test(text),
    'https, but on this machine itself',
  );

/** The `catalog.serve.auth` key of lake.yaml: with it, `{}` included, every request needs a token. */
export const authFile = z.strictObject({
  token_lifetime: duration.optional(),
  audit_keep: duration.optional(),
  oidc: z
    .strictObject({
      issuer: address,
      audience: z.string().min(1),
      jwks_uri: address.optional(),
      subject_claim: z.string().min(1).optional(),
      roles_claim: z.string().min(1).optional(),
    })
    .optional(),
});

/** `catalog.serve.auth`, checked. */
export interface AuthConfig {
  readonly tokenLifetimeMs?: number;
  readonly auditKeepMs?: number;
  readonly oidc?: {
    readonly issuer: string;
    readonly audience: string;
    readonly jwksUri?: string;
    readonly subjectClaim?: string;
    readonly rolesClaim?: string;
  };
}

export function authConfig(file: z.infer<typeof authFile>): AuthConfig {
  const { token_lifetime, audit_keep, oidc } = file;
  return {
    ...(token_lifetime === undefined ? {} : { tokenLifetimeMs: msOf(token_lifetime) }),
    ...(audit_keep === undefined ? {} : { auditKeepMs: msOf(audit_keep) }),
    ...(oidc === undefined ? {} : { oidc: oidcOf(oidc) }),
  };
}

function oidcOf(oidc: NonNullable<z.infer<typeof authFile>['oidc']>): NonNullable<AuthConfig['oidc']> {
  const { issuer, audience, jwks_uri, subject_claim, roles_claim } = oidc;
  return {
    issuer,
    audience,
    ...(jwks_uri === undefined ? {} : { jwksUri: jwks_uri }),
    ...(subject_claim === undefined ? {} : { subjectClaim: subject_claim }),
    ...(roles_claim === undefined ? {} : { rolesClaim: roles_claim }),
  };
}

const msOf = (text: string): number => durationMs(parseDuration(text));
