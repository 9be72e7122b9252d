import { execFile, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const COPY = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy';

/** A file of Maven's registry: `group:name:version:type`. */
export interface Artifact {
  readonly group: string;
  readonly name: string;
  readonly version: string;
  readonly type: 'tar.gz' | 'zip' | 'jar';
}

/** The file's path in `folder`, fetched first if it is not there. Maven compares checksums (`-C`). */
export async function fetchArtifact(artifact: Artifact, folder: string): Promise<string> {
  const { group, name, version, type } = artifact;
  const file = `${name}-${version}.${type}`;
  const path = join(folder, file);
  if (existsSync(path)) return path;
  await mkdir(folder, { recursive: true });
  const fresh = await mkdtemp(join(folder, 'fetch-'));
  try {
    await run('mvn', [
      '-B',
      '-q',
      '-C',
      COPY,
      `-Dartifact=${group}:${name}:${version}:${type}`,
      `-DoutputDirectory=${fresh}`,
    ]);
    await rename(join(fresh, file), path);
    return path;
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

export function hasMaven(): boolean {
  return spawnSync('mvn', ['--version']).status === 0;
}
