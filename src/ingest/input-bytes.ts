import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { LakeError } from '../errors.ts';

/** Where a file's bytes come from: a path, or standard input under the name `-`. */
export interface InputFile {
  readonly name: string;
  /** Counts bytes as they are read, before they are unpacked. */
  readonly onBytes?: (bytes: number) => void;
  /** Standard input, for the name `-`. */
  readonly stdin?: AsyncIterable<Uint8Array>;
}

/**
 * The bytes of a file, unpacked if its name ends in `.gz`, read as they are asked for.
 *
 * @throws LakeError `not-found` or `unavailable` for a file that cannot be read, `corrupt` for damaged gzip
 */
export async function* inputBytes(input: InputFile): AsyncGenerator<Uint8Array> {
  const source = counted(input);
  if (!/\.gz$/i.test(input.name)) {
    yield* source;
    return;
  }
  const { pipeline, Readable: Streams } = await import('node:stream');
  const unpacked = createGunzip();
  const done = Promise.withResolvers<void>();
  pipeline(Streams.from(source), unpacked, (error) => (error ? done.reject(error) : done.resolve()));
  done.promise.catch(() => undefined);
  try {
    yield* unpacked;
    await done.promise;
  } catch (cause) {
    if (cause instanceof LakeError) throw cause;
    throw new LakeError('corrupt', `The file is no whole gzip file: ${reasonOf(cause)}`, {
      where: input.name,
      hint: 'Nothing was committed. Fetch the file again.',
      cause,
    });
  }
}

async function* counted(input: InputFile): AsyncGenerator<Uint8Array> {
  const stream: AsyncIterable<Uint8Array> | Readable =
    input.name === '-' && input.stdin
      ? input.stdin
      : createReadStream(input.name, { highWaterMark: 1 << 18 });
  try {
    for await (const chunk of stream) {
      const bytes: Uint8Array = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      input.onBytes?.(bytes.length);
      yield bytes;
    }
  } catch (cause) {
    const missing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
    throw new LakeError(
      missing ? 'not-found' : 'unavailable',
      `Cannot read ${input.name}: ${reasonOf(cause)}`,
      {
        hint: 'Nothing was committed.',
        cause,
      },
    );
  }
}

/** An error's own words. */
export function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
