import { mkdir, readdir, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

const HOST = hostname().replaceAll(/[^A-Za-z0-9]/g, '_');
const own = new Set<string>();
let opened = 0;

/**
 * A new folder below `base` that belongs to this process, made after those of dead processes of this machine are removed.
 * Errors: those of the file system.
 */
export async function openProcessFolder(base: string): Promise<string> {
  const name = `${HOST}-${process.pid}-${++opened}`;
  await mkdir(base, { recursive: true });
  for (const found of await readdir(base)) {
    if (isLeftBehind(found)) await rm(join(base, found), { recursive: true, force: true });
  }
  // Known as ours before it is there: another one that is opened meanwhile would remove it.
  own.add(name);
  await mkdir(join(base, name));
  return join(base, name);
}

/** Removes a folder of this process with all that is in it. */
export async function closeProcessFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
}

function isLeftBehind(name: string): boolean {
  const [host, pid] = name.split('-');
  if (host !== HOST || pid === undefined || !/^\d+$/.test(pid)) return false;
  // Containers number their processes from 1: the number alone may be ours again.
  if (Number(pid) === process.pid) return !own.has(name);
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ESRCH';
  }
}
