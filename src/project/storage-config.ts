import { z } from 'zod';
import type { S3Settings, StsSettings } from '../storage/s3-settings.ts';
import type { Problem } from './yaml-file.ts';

const address = z.url({ protocol: /^https?$/, error: 'an address such as http://localhost:9000' });

/** The `storage` key of lake.yaml and of a tier: how an S3 server is reached. */
export const storageFile = z.strictObject({
  endpoint: address.optional(),
  region: z.string().min(1).optional(),
  path_style: z.boolean().optional(),
  access_key_id: z.string().min(1).optional(),
  secret_access_key: z.string().min(1).optional(),
  session_token: z.string().min(1).optional(),
  sts: z
    .strictObject({
      endpoint: address.optional(),
      region: z.string().min(1).optional(),
      role_arn: z
        .string()
        .regex(/^arn:[^\s]+$/, 'a role such as arn:aws:iam::123456789012:role/lake')
        .optional(),
      external_id: z.string().min(1).optional(),
    })
    .optional(),
});

export type StorageFile = z.infer<typeof storageFile>;

/** A store's settings as the S3 client takes them. */
export function storageSettings(file: StorageFile | undefined): S3Settings {
  if (file === undefined) return {};
  const { endpoint, region, path_style, access_key_id, secret_access_key, session_token, sts } = file;
  return {
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
    ...(path_style === undefined ? {} : { pathStyle: path_style }),
    ...(access_key_id === undefined ? {} : { accessKeyId: access_key_id }),
    ...(secret_access_key === undefined ? {} : { secretAccessKey: secret_access_key }),
    ...(session_token === undefined ? {} : { sessionToken: session_token }),
    ...(sts === undefined ? {} : { sts: stsSettings(sts) }),
  };
}

function stsSettings(file: NonNullable<StorageFile['sts']>): StsSettings {
  const { endpoint, region, role_arn, external_id } = file;
  return {
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
    ...(role_arn === undefined ? {} : { roleArn: role_arn }),
    ...(external_id === undefined ? {} : { externalId: external_id }),
  };
}

type ProblemAt = (path: readonly string[], message: string, hint: string) => Problem;

/** What is off in the meaning of a `storage` key that stands at `path`. */
export function storageProblems(
  file: StorageFile | undefined,
  path: readonly string[],
  problemAt: ProblemAt,
): Problem[] {
  if (file === undefined) return [];
  const hasKey = file.access_key_id !== undefined;
  if (hasKey !== (file.secret_access_key !== undefined)) {
    const hint =
      'write both, as "${S3_ACCESS_KEY}" and "${S3_SECRET_KEY}", or neither (then AWS\'s usual chain is asked)';
    return [problemAt(path, 'access_key_id and secret_access_key belong together', hint)];
  }
  if (file.session_token !== undefined && !hasKey) {
    const hint = 'write access_key_id and secret_access_key too';
    return [problemAt([...path, 'session_token'], 'a session token belongs to an access key', hint)];
  }
  if (file.sts !== undefined && file.sts.role_arn === undefined && file.endpoint === undefined) {
    const hint = 'write role_arn: arn:aws:iam::123456789012:role/lake';
    return [problemAt([...path, 'sts'], 'AWS gives credentials for a role only', hint)];
  }
  return [];
}

/** A location that an S3 store takes: a bucket and, mostly, a prefix in it. */
export const isS3 = (location: string): boolean => /^s3:\/\/[^/]+/.test(location);

const UNITS = ['', 'K', 'M', 'G', 'T'];

/** A size as lake.yaml has it, in bytes: `4GB` in powers of 1000, `4GiB` in powers of 1024. */
export function sizeBytes(text: string): number {
  const [, amount = '0', unit = '', binary = ''] = /^(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B$/.exec(text) ?? [];
  return Math.floor(Number(amount) * (binary === 'i' ? 1024 : 1000) ** UNITS.indexOf(unit));
}
