import { createHash, type Hash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import * as z from 'zod';
import { LakeError } from '../../src/errors.ts';
import { parseJson, stringifyJson } from '../../src/iceberg/json.ts';

/*
 * A backup is gzip over lines of JSON (NDJSON), the same whatever database it comes from:
 *
 *   {"format":"lakewarden-catalog-backup","version":1,"schema":4,"created-at-ms":1763740000000}
 *   {"table":"namespaces","columns":["levels","properties"]}
 *   ["silver","{}"]                                             one array a row, until the next object
 *   …
 *   {"rows":{"namespaces":1,…},"sha256":"…"}                    of all bytes before this line
 */

export type Cell = string | number | bigint | null;

const header = z.object({
  format: z.literal('lakewarden-catalog-backup'),
  version: z.number().int(),
  schema: z.number().int(),
  'created-at-ms': z.number().int(),
});
const tableLine = z.object({ table: z.string(), columns: z.array(z.string()) });
const footer = z.object({ rows: z.record(z.string(), z.number().int()), sha256: z.string() });
const rowLine = z.array(z.union([z.string(), z.number().int(), z.bigint(), z.null()]));

export type BackupHeader = z.infer<typeof header>;

/** Of the lines; databases of other versions of the schema say so in `schema`. */
const VERSION = 1;

export type BackupPart =
  | { readonly kind: 'table'; readonly table: string; readonly columns: readonly string[] }
  | { readonly kind: 'row'; readonly table: string; readonly cells: readonly Cell[] };

/**
 * Writes a backup: whole under its name, or not at all. Who may read it can act as every principal of the catalog: it is for the owner alone (mode
 * 0600). Returns the rows of each table. Errors: `already-exists`, `unavailable`.
 */
export async function writeBackup(
  path: string,
  about: { readonly schema: number; readonly createdAtMs: number; readonly id: string },
  parts: AsyncIterable<BackupPart>,
): Promise<Readonly<Record<string, number>>> {
  const partial = `${path}.${about.id}.partial`;
  const rows: Record<string, number> = {};
  try {
    await refuseExisting(path);
    const lines = Readable.from(linesOf(about, parts, rows));
    await pipeline(
      lines,
      createGzip(),
      createWriteStream(partial, { mode: 0o600, flags: 'wx', flush: true }),
    );
    await rename(partial, path);
    return rows;
  } catch (error) {
    await rm(partial, { force: true });
    if (error instanceof LakeError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new LakeError('unavailable', `The backup cannot be written: ${reason}`, {
      where: path,
      hint: 'Nothing was left behind: make room or name another file, and try again.',
      cause: error,
    });
  }
}

async function refuseExisting(path: string): Promise<void> {
  const file = await open(path).catch(() => null);
  if (file === null) return;
  await file.close();
  throw new LakeError('already-exists', 'There is a file of this name', {
    where: path,
    hint: 'Name another one: a backup never replaces a file.',
  });
}

async function* linesOf(
  about: { readonly schema: number; readonly createdAtMs: number },
  parts: AsyncIterable<BackupPart>,
  rows: Record<string, number>,
): AsyncIterable<string> {
  const hash = createHash('sha256');
  const line = (value: unknown): string => {
    const text = `${stringifyJson(value)}\n`;
    hash.update(text);
    return text;
  };
  const { schema, createdAtMs } = about;
  yield line({ format: 'lakewarden-catalog-backup', version: VERSION, schema, 'created-at-ms': createdAtMs });
  for await (const part of parts) {
    if (part.kind === 'table') {
      rows[part.table] = 0;
      yield line({ table: part.table, columns: part.columns });
    } else {
      rows[part.table] = (rows[part.table] ?? 0) + 1;
      yield line(part.cells);
    }
  }
  yield `${stringifyJson({ rows, sha256: hash.digest('hex') })}\n`;
}

/** The first line of a backup. Errors: `not-found`, `corrupt`, `unsupported` for one of a newer version. */
export async function readBackupHeader(path: string): Promise<BackupHeader> {
  for await (const text of lines(path)) return headerOf(text, path);
  throw damaged(path, 'it is empty');
}

/**
 * The parts of a backup, in order; whoever has read it to its end knows that it is whole. Errors: `not-found`, `corrupt` for one that is cut off or
 * changed (at the latest at the end), `unsupported`.
 */
export async function* readBackup(path: string): AsyncIterable<BackupPart> {
  const hash = createHash('sha256');
  const rows: Record<string, number> = {};
  let table: z.infer<typeof tableLine> | null = null;
  let isFirst = true;
  let isWhole = false;
  for await (const text of lines(path)) {
    if (isWhole) throw damaged(path, 'something follows its end');
    const value = isFirst ? headerOf(text, path) : jsonOf(text, path);
    if (isFirst) isFirst = false;
    else if (Array.isArray(value)) {
      if (table === null) throw damaged(path, 'a row belongs to no table');
      rows[table.table] = (rows[table.table] ?? 0) + 1;
      yield { kind: 'row', table: table.table, cells: cellsOf(value, table.columns, path) };
    } else if (footer.safeParse(value).success) {
      checkEnd(footer.parse(value), rows, hash, path);
      isWhole = true;
      continue;
    } else {
      table = tableOf(value, path);
      rows[table.table] = 0;
      yield { kind: 'table', ...table };
    }
    hash.update(`${text}\n`);
  }
  if (!isWhole) throw damaged(path, 'its end is missing');
}

function cellsOf(value: readonly unknown[], columns: readonly string[], path: string): readonly Cell[] {
  const { success, data } = rowLine.safeParse(value);
  if (!success || data.length !== columns.length) throw damaged(path, 'a row is none of its table');
  return data;
}

function tableOf(value: unknown, path: string): z.infer<typeof tableLine> {
  const { success, data } = tableLine.safeParse(value);
  if (!success) throw damaged(path, 'a line is none of a backup');
  return data;
}

function checkEnd(
  end: z.infer<typeof footer>,
  rows: Readonly<Record<string, number>>,
  hash: Hash,
  path: string,
): void {
  if (end.sha256 !== hash.copy().digest('hex')) throw damaged(path, 'its checksum is another one');
  if (stringifyJson(end.rows) !== stringifyJson(rows)) throw damaged(path, 'rows are missing');
}

function headerOf(text: string, path: string): BackupHeader {
  const { success, data } = header.safeParse(jsonOf(text, path));
  if (!success) throw damaged(path, 'it does not begin as a backup does');
  if (data.version > VERSION) {
    throw new LakeError(
      'unsupported',
      `The backup is of format ${data.version}, this program knows ${VERSION}`,
      {
        where: path,
        hint: 'Use the version of Lakewarden that wrote it, or a newer one.',
      },
    );
  }
  return data;
}

function jsonOf(text: string, path: string): unknown {
  try {
    return parseJson(text);
  } catch {
    throw damaged(path, 'a line is no JSON');
  }
}

/** Lines of the unpacked file, in bounded memory: a row is some kilobytes, a plan of a move the largest. */
async function* lines(path: string): AsyncIterable<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let rest = '';
  const file = createReadStream(path);
  try {
    const unpacked = createGunzip();
    file.once('error', (error) => unpacked.destroy(error));
    for await (const chunk of file.pipe(unpacked) as AsyncIterable<Uint8Array>) {
      const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = parts.pop() ?? '';
      yield* parts;
    }
    decoder.decode();
  } catch (error) {
    throw readFailure(error, path);
  } finally {
    file.destroy();
  }
  if (rest !== '') throw damaged(path, 'its last line is cut off');
}

function readFailure(error: unknown, path: string): unknown {
  if (error instanceof LakeError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'ENOENT') {
    const hint = 'Name a file that `lake catalog backup` wrote.';
    return new LakeError('not-found', 'There is no such backup', { where: path, hint, cause: error });
  }
  const reason = error instanceof Error ? error.message : String(error);
  if (code.startsWith('Z_') || code.startsWith('ERR_ENCODING')) return damaged(path, reason, error);
  const hint = 'Look at the disk and the rights on the file.';
  return new LakeError('unavailable', `The backup cannot be read: ${reason}`, {
    where: path,
    hint,
    cause: error,
  });
}

function damaged(path: string, what: string, cause?: unknown): LakeError {
  return new LakeError('corrupt', `The file is no whole backup: ${what}`, {
    where: path,
    hint: 'Nothing was restored from it: take another backup, or copy this one anew from where it was kept.',
    ...(cause === undefined ? {} : { cause }),
  });
}
