import { execFile, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The S3 servers, by the Go modules that they are built from. Go's checksum database vouches for them. */
const MODULES = {
  versitygw: 'github.com/versity/versitygw/cmd/versitygw@latest',
  minio: 'github.com/minio/minio@latest',
} as const;

export type S3ServerName = keyof typeof MODULES;

const CACHE = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'lakewarden', 'bin');

/** True if the servers were built before, or can be. */
export function canBuildS3Servers(): boolean {
  return (
    Object.keys(MODULES).every((name) => existsSync(join(CACHE, name))) ||
    spawnSync('go', ['version']).status === 0
  );
}

/** The path of a server's program, built first if it is not in the cache (outside the checkout). */
export async function s3Binary(
  name: S3ServerName,
  say: (text: string) => void = () => undefined,
): Promise<string> {
  const path = join(CACHE, name);
  if (existsSync(path)) return path;
  say(`building ${name} (a few minutes, once)`);
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
