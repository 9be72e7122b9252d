import { execFile, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The S3 servers, by the Go modules that they are built from, with the checksums that Go writes into what it builds. */
const MODULES = {
  versitygw: {
    module: 'github.com/versity/versitygw',
    program: '/cmd/versitygw',
    version: 'v1.8.0',
    sum: 'h1:au+wI+aybno/STsQiSm35Uu6Q6iK5MWReQxgO6SEMFc=',
  },
  minio: {
    module: 'github.com/minio/minio',
    program: '',
    version: 'v0.0.0-20260212201848-7aac2a2c5b7c',
    sum: 'h1:/qdoYujxF5MBLDMVLeiYJ/7fBa1HikX39Dvzb9Ji8pA=',
  },
} as const;

export type S3ServerName = keyof typeof MODULES;

const CACHE = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'lakewarden', 'bin');

/** Where the built server lies; another version lies beside it. */
function programOf(name: S3ServerName): string {
  return join(CACHE, `${name}-${MODULES[name].version}`);
}

/** True if the servers were built before, or can be. */
export function canBuildS3Servers(): boolean {
  const names = Object.keys(MODULES) as S3ServerName[];
  return names.every((name) => existsSync(programOf(name))) || spawnSync('go', ['version']).status === 0;
}

/**
 * The path of a server's program, built first if it is not in the cache (outside the checkout).
 * @throws Error if what was built is not what the checksum says; nothing is kept then
 */
export async function s3Binary(
  name: S3ServerName,
  say: (text: string) => void = () => undefined,
): Promise<string> {
  const path = programOf(name);
  if (existsSync(path)) return path;
  say(`building ${name} (a few minutes, once)`);
  await mkdir(CACHE, { recursive: true });
  const folder = await mkdtemp(join(CACHE, 'build-'));
  const { module, program, version, sum } = MODULES[name];
  try {
    await run('go', ['install', `${module}${program}@${version}`], {
      env: { ...process.env, GOBIN: folder },
      maxBuffer: 64 * 1024 * 1024,
    });
    const { stdout } = await run('go', ['version', '-m', join(folder, name)]);
    if (!stdout.includes(`${module}\t${version}\t${sum}`))
      throw new Error(
        `${name} ${version} was built from other sources than known: its checksum is not ${sum}`,
      );
    // In one step: another run may be building it too.
    await rename(join(folder, name), path);
    return path;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
