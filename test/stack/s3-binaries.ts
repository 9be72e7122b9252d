import { execFile } from 'node:child_process';
import { access, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The S3 servers of the stack tests, by the Go modules that they are built from. */
const MODULES = {
  versitygw: 'github.com/versity/versitygw/cmd/versitygw@latest',
  minio: 'github.com/minio/minio@latest',
} as const;

export type S3ServerName = keyof typeof MODULES;

const CACHE = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'lakewarden', 'bin');

/** True if servers can be had: Go is there, or they have been built before. Under CI their absence is a failure, not a skip. */
export async function canHaveServers(): Promise<boolean> {
  if (process.env['CI'] === '1') return true;
  const built = Object.keys(MODULES).map((name) => access(join(CACHE, name)));
  if (await Promise.all(built).then(isTrue, isFalse)) return true;
  return run('go', ['version']).then(isTrue, isFalse);
}

/** The path of a server's program, built first if it is not in the cache (outside the checkout). */
export async function s3Binary(name: S3ServerName): Promise<string> {
  const path = join(CACHE, name);
  if (await access(path).then(isTrue, isFalse)) return path;
  await mkdir(CACHE, { recursive: true });
  const folder = await mkdtemp(join(CACHE, 'build-'));
  try {
    await run('go', ['install', MODULES[name]], {
      env: { ...process.env, GOBIN: folder },
      maxBuffer: 64 * 1024 * 1024,
    });
    // In one step: another run may be building it too.
    await rename(join(folder, name), path);
    return path;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const isTrue = (): boolean => true;
const isFalse = (): boolean => false;
