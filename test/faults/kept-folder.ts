import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder whose state can be kept and brought back, in the same place: locations in tables are absolute. */
export interface KeptFolder {
  readonly folder: string;
  /** Where the state is kept. */
  readonly kept: string;
  keep(): Promise<void>;
  goBack(): Promise<void>;
  remove(): Promise<void>;
}

export async function keptFolder(): Promise<KeptFolder> {
  const parent = await mkdtemp(join(tmpdir(), 'lake-faults-'));
  const [folder, kept] = [join(parent, 'a lake'), join(parent, 'kept')];
  await mkdir(folder);
  const copy = async (from: string, to: string) => {
    await rm(to, { recursive: true, force: true });
    await cp(from, to, { recursive: true, preserveTimestamps: true });
  };
  return {
    folder,
    kept,
    keep: () => copy(folder, kept),
    goBack: () => copy(kept, folder),
    remove: () => rm(parent, { recursive: true, force: true }),
  };
}
