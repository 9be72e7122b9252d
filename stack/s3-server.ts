import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import type { Program } from './background-process.ts';
import { canBuildS3Servers, type S3ServerName, s3Binary } from './s3-binaries.ts';
import { answersHttp, type Service } from './service.ts';
import type { StackSettings } from './settings.ts';

/** One for each tier of the stack's lake. */
export const BUCKETS = ['lake-hot', 'lake-warm', 'lake-cold'] as const;
export const REGION = 'us-east-1';

/** MinIO or versitygw, with the buckets of the lake. */
export function s3Server(name: S3ServerName, settings: StackSettings): Service {
  const port = settings.ports[name];
  const address = `http://127.0.0.1:${port}`;
  const [user, password] = [settings.secret('s3-access-key'), settings.secret('s3-secret-key')];
  return {
    name,
    needs: [],
    address,
    missing: () =>
      canBuildS3Servers() ? null : `${name} is built by Go: install Go 1.24 or later (https://go.dev/dl)`,
    prepare: async (say) => {
      const folder = join(settings.folder, name);
      await s3Binary(name, say);
      return s3Program(name, { listen: `127.0.0.1:${port}`, folder, user, password });
    },
    answers: () => answersHttp(address),
    afterStart: () => makeBuckets(address, { accessKeyId: user, secretAccessKey: password }),
  };
}

/** What runs a server with its objects in `folder`, which is made. */
export async function s3Program(
  name: S3ServerName,
  place: {
    /** `address:port` */
    readonly listen: string;
    readonly folder: string;
    readonly user: string;
    readonly password: string;
  },
): Promise<Program> {
  const { listen, folder, user, password } = place;
  const [data, attributes] = [join(folder, 'data'), join(folder, 'attributes')];
  for (const part of [data, attributes]) await mkdir(part, { recursive: true });
  return {
    command: await s3Binary(name),
    words:
      name === 'minio'
        ? ['server', '--quiet', '--address', listen, data]
        : ['--quiet', '--port', listen, 'posix', '--sidecar', attributes, data],
    cwd: folder,
    env: {
      ...process.env,
      MINIO_ROOT_USER: user,
      MINIO_ROOT_PASSWORD: password,
      ROOT_ACCESS_KEY: user,
      ROOT_SECRET_KEY: password,
    },
  };
}

/** Makes the buckets of the lake that are not there yet. */
export async function makeBuckets(
  endpoint: string,
  credentials: { readonly accessKeyId: string; readonly secretAccessKey: string },
): Promise<void> {
  const client = new S3Client({ endpoint, region: REGION, forcePathStyle: true, credentials });
  try {
    for (const bucket of BUCKETS) await makeBucket(client, bucket);
  } finally {
    client.destroy();
  }
}

async function makeBucket(client: S3Client, bucket: string): Promise<void> {
  try {
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
  } catch (error) {
    if (!(error instanceof Error) || !/^BucketAlready(OwnedByYou|Exists)$/.test(error.name)) throw error;
  }
}
