import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { stackSettings } from '../../stack/settings.ts';

const run = promisify(execFile);
const SOURCE = join(import.meta.dirname, 'compose-check');
export const ROOT = join(import.meta.dirname, '../..');

interface Mount {
  readonly type: 'bind' | 'volume';
  readonly source: string;
  readonly target: string;
  readonly read_only?: boolean;
}

export interface ComposeService {
  readonly image: string;
  readonly build?: { readonly target: string };
  readonly entrypoint?: readonly string[] | null;
  readonly command?: readonly string[] | null;
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly Mount[];
  readonly ports?: readonly {
    readonly host_ip: string;
    readonly target: number;
    readonly published: string;
  }[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly restart?: string;
  readonly profiles?: readonly string[];
  /** Bytes. */
  readonly mem_limit?: string;
}

/** A compose file as Docker's own library reads it. */
export interface ComposeModel {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

/** Reads `file` as `docker compose config` does, with the variables of `env` alone. @throws Error with what the library has against it */
export async function composeModel(
  file: string,
  env: Readonly<Record<string, string>>,
): Promise<ComposeModel> {
  const { stdout } = await run(await checkProgram(), [file], { env, maxBuffer: 16 * 1024 * 1024 });
  return JSON.parse(stdout);
}

/** The program of compose-check, built once for its sources and kept outside of the checkout. */
async function checkProgram(): Promise<string> {
  const hash = createHash('sha256');
  for (const name of ['main.go', 'go.mod', 'go.sum']) hash.update(readFileSync(join(SOURCE, name)));
  const folder = join(stackSettings(process.env).cache, 'bin');
  const path = join(folder, `compose-check-${hash.digest('hex').slice(0, 16)}`);
  if (existsSync(path)) return path;
  await mkdir(folder, { recursive: true });
  const fresh = await mkdtemp(join(folder, 'build-'));
  try {
    await run('go', ['build', '-o', join(fresh, 'compose-check'), '.'], { cwd: SOURCE });
    await rename(join(fresh, 'compose-check'), path);
    return path;
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}
