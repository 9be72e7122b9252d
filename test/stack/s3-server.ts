import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { DEFAULT_LIMITS, s3Client } from '../../src/storage/s3-client.ts';
import type { S3Settings } from '../../src/storage/s3-settings.ts';
import { canBuildS3Servers, type S3ServerName } from '../../stack/s3-binaries.ts';
import { s3Program } from '../../stack/s3-server.ts';
import { freePort } from '../free-port.ts';

/** True if the tests have servers. In CI their absence is a failure, not a skip. */
export function canHaveServers(): boolean {
  return process.env['CI'] === '1' || canBuildS3Servers();
}

/** A running S3 server on a free port, with its objects in a temporary folder. */
export interface S3Server {
  readonly name: S3ServerName;
  readonly settings: S3Settings & { readonly endpoint: string };
  readonly pid: number;
  makeBucket(name: string): Promise<void>;
  close(): Promise<void>;
}

const KEYS = { accessKeyId: 'lake-test', secretAccessKey: 'lake-test-secret' };

/** Starts a server and waits until it answers. */
export async function startS3Server(name: S3ServerName): Promise<S3Server> {
  const folder = await mkdtemp(join(tmpdir(), `lake-${name}-`));
  const port = await freePort();
  const { accessKeyId: user, secretAccessKey: password } = KEYS;
  const { command, words, env } = await s3Program(name, {
    listen: `127.0.0.1:${port}`,
    folder,
    user,
    password,
  });
  const child = spawn(command, words, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const close = async (): Promise<void> => {
    await stopped(child);
    await rm(folder, { recursive: true, force: true });
  };
  const settings = { endpoint: `http://127.0.0.1:${port}`, region: 'us-east-1', pathStyle: true, ...KEYS };
  try {
    await answers(child, settings.endpoint);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    name,
    settings,
    pid: child.pid ?? 0,
    makeBucket: async (bucket) => {
      const client = s3Client(settings, DEFAULT_LIMITS);
      await client.send(new CreateBucketCommand({ Bucket: bucket }));
      client.destroy();
    },
    close,
  };
}

async function answers(child: ChildProcess, endpoint: string): Promise<void> {
  const output: string[] = [];
  child.stdout?.on('data', (chunk) => output.push(String(chunk)));
  child.stderr?.on('data', (chunk) => output.push(String(chunk)));
  for (let attempt = 0; attempt < 600; attempt++) {
    if (child.exitCode !== null) throw new Error(`the S3 server ended: ${output.join('')}`);
    const answer = await fetch(endpoint).catch(() => undefined);
    if (answer !== undefined && answer.status < 500) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`the S3 server does not answer: ${output.join('')}`);
}

async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}
