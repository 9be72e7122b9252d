import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { glob, stat } from 'node:fs/promises';
import { isAbsolute, relative, resolve, sep } from 'node:path';
import { LakeError } from '../errors.ts';
import type { Model } from './model.ts';
import type { ModelSource } from './model-file.ts';

/** A file that a source's path matches. */
export interface SourceFile {
  /** Absolute. */
  readonly path: string;
  /** What `_source_file` says: relative to the project where the file lies in it, with `/`. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly modifiedMs: number;
}

/**
 * The files of a source, by name.
 *
 * @throws LakeError `not-found` where a required source has none
 */
export async function sourceFiles(model: Model, source: ModelSource, root: string): Promise<SourceFile[]> {
  const pattern = isAbsolute(source.path) ? source.path : resolve(root, source.path);
  const files: SourceFile[] = [];
  for await (const path of glob(pattern)) {
    const info = await stat(path);
    if (!info.isFile()) continue;
    files.push({ path, name: sourceName(path, root), size: info.size, modifiedMs: Math.trunc(info.mtimeMs) });
  }
  if (files.length === 0 && source.required) {
    throw new LakeError('not-found', `${model.id}: no file matches ${source.path}`, {
      where: model.sqlFile.replace(/\.sql$/, '.yml'),
      hint: 'put the file there, mend source.path, or write required: false',
    });
  }
  return files.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function sourceName(path: string, root: string): string {
  const below = relative(root, path);
  const name = below.startsWith('..') || isAbsolute(below) ? path : below;
  return name.split(sep).join('/');
}

/** The bytes of a source file, by which a landed one is known again. */
export interface SourceBytes {
  readonly size: number;
  readonly modifiedMs: number;
  /** Of the file's bytes, in hex. */
  readonly sha256: string;
}

/** True if a file's bytes are those that landed under its name; size and time spare reading it again. */
export async function isAsLanded(file: SourceFile, landed: SourceBytes): Promise<boolean> {
  if (landed.size === file.size && landed.modifiedMs === file.modifiedMs) return true;
  return landed.sha256 === (await fileHash(file.path));
}

/** Rows are identified by file and ordinal, so a file does not change unless it is said to land anew. */
export function changedFile({ name, path }: SourceFile, table: string): LakeError {
  return new LakeError('invalid-argument', `${name} has changed since it landed in ${table}`, {
    where: path,
    hint:
      'nothing of it was landed. Put the old file back and land new rows in a file with a new name, or replace the rows that ' +
      `have landed: lake run --land-again ${name}`,
  });
}

/** A source file's bytes at one moment, and whether they have stayed the same since. */
export interface ObservedFile {
  readonly bytes: SourceBytes;
  isUnchanged(): Promise<boolean>;
}

/** Looks at a file before its rows are read: size and time first, so that what is written while it is read shows. */
export async function observeFile({ path }: SourceFile): Promise<ObservedFile> {
  const before = await stat(path, { bigint: true });
  const sha256 = await fileHash(path);
  return {
    bytes: { size: Number(before.size), modifiedMs: Number(before.mtimeMs), sha256 },
    isUnchanged: async () => {
      // One that is gone, or hidden by a rename, is not what was looked at either.
      const now = await stat(path, { bigint: true }).catch(() => null);
      return now !== null && now.size === before.size && now.mtimeNs === before.mtimeNs;
    },
  };
}

/** SHA-256 of a file's bytes in hex. */
async function fileHash(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}
