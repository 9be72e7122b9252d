import { S3Client } from '@aws-sdk/client-s3';
import { namedKeys, type S3Settings } from './s3-settings.ts';

/** Limits of requests: how often one is sent, and how long it may take to connect and to stay silent, ms. */
export interface S3Limits {
  readonly attempts: number;
  readonly connectMs: number;
  readonly silenceMs: number;
}

export const DEFAULT_LIMITS: S3Limits = { attempts: 6, connectMs: 5_000, silenceMs: 30_000 };

/**
 * A client that retries throttling, time-outs and server failures with growing pauses, and sends and checks checksums of whole
 * requests. Bodies are always bytes in memory, never streams: so a retry can send them again, and servers that know no
 * trailing checksums understand them.
 */
export function s3Client(settings: S3Settings, limits: S3Limits): S3Client {
  const { endpoint, region, pathStyle } = settings;
  const ownRegion = region ?? (endpoint === undefined ? undefined : 'us-east-1');
  return new S3Client({
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(ownRegion === undefined ? {} : { region: ownRegion }),
    forcePathStyle: pathStyle ?? endpoint !== undefined,
    maxAttempts: limits.attempts,
    retryMode: 'standard',
    requestHandler: {
      connectionTimeout: limits.connectMs,
      requestTimeout: limits.silenceMs,
      throwOnRequestTimeout: true,
      socketTimeout: limits.silenceMs,
      httpAgent: { maxSockets: 128, keepAlive: true },
      httpsAgent: { maxSockets: 128, keepAlive: true },
    },
    ...namedKeys(settings),
  });
}
