import { LakeError } from '../../src/errors.ts';
import { namedKeys, type S3Settings } from '../../src/storage/s3-settings.ts';

/** Credentials of a session that ends by itself. */
export interface SessionCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly expiresAtMs: number;
}

export interface SessionRequest {
  readonly policy: string;
  /** Stands in the store's access logs. */
  readonly sessionName: string;
  readonly durationSeconds: number;
}

/** Makes credentials of sessions that have no more rights than their policy gives them. */
export type AssumeRole = (settings: S3Settings, request: SessionRequest) => Promise<SessionCredentials>;

/** MinIO and others ask for a role and take any. */
const ANY_ROLE = 'arn:aws:iam::000000000000:role/lakewarden';
const CONNECT_MS = 5_000;
const SILENCE_MS = 15_000;

/**
 * STS AssumeRole with the keys of `settings`. Errors: `unavailable` if STS does not answer, or refuses this catalog itself; `invalid-argument` for a
 * policy that is too large for it.
 */
export const assumeRole: AssumeRole = async (settings, request) => {
  const { STSClient, AssumeRoleCommand } = await import('@aws-sdk/client-sts');
  const { sts = {} } = settings;
  const endpoint = sts.endpoint ?? settings.endpoint;
  const client = new STSClient({
    region: sts.region ?? settings.region ?? 'us-east-1',
    ...(endpoint === undefined ? {} : { endpoint }),
    requestHandler: { connectionTimeout: CONNECT_MS, requestTimeout: SILENCE_MS },
    ...namedKeys(settings),
  });
  try {
    const { Credentials: made } = await client.send(
      new AssumeRoleCommand({
        RoleArn: sts.roleArn ?? ANY_ROLE,
        RoleSessionName: request.sessionName,
        Policy: request.policy,
        DurationSeconds: request.durationSeconds,
        ...(sts.externalId === undefined ? {} : { ExternalId: sts.externalId }),
      }),
    );
    return {
      accessKeyId: given(made?.AccessKeyId),
      secretAccessKey: given(made?.SecretAccessKey),
      sessionToken: given(made?.SessionToken),
      expiresAtMs: given(made?.Expiration).getTime(),
    };
  } catch (error) {
    throw refused(error);
  } finally {
    client.destroy();
  }
};

function given<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the answer has no credentials');
  return value;
}

function refused(error: unknown): LakeError {
  const [name, reason] = error instanceof Error ? [error.name, error.message] : ['', String(error)];
  if (name === 'PackedPolicyTooLarge' || name === 'PackedPolicyTooLargeException') {
    return new LakeError('invalid-argument', 'The session policy is too large for STS', {
      cause: error,
      context: { tooLarge: true, type: 'BadRequestException' },
    });
  }
  return new LakeError('unavailable', `STS gave no credentials (${name}): ${reason}`, {
    hint: 'Check "sts" under "storage" in lake.yaml, and that the role trusts the keys of this catalog. Nothing was changed.',
    cause: error,
  });
}
