import { isUtf8 } from 'node:buffer';
import { readFile } from 'node:fs/promises';
import { LakeError } from '../errors.ts';

/**
 * The text of a file that people edit. Bytes that are no UTF-8 are refused: read as if they were, names and values would differ
 * from what was written.
 *
 * @param shown the file's name in messages
 * @throws LakeError `invalid-file` with the place of the first such bytes; what reading the file throws
 */
export async function readTextFile(path: string, shown: string): Promise<string> {
  const bytes = await readFile(path);
  const text = bytes.toString('utf8');
  if (isUtf8(bytes)) return text;
  // What was decoded well is encoded to the same bytes; the first that was not differs.
  const again = Buffer.from(text, 'utf8');
  const before = bytes
    .subarray(
      0,
      bytes.findIndex((byte, at) => byte !== again[at]),
    )
    .toString('utf8');
  const line = before.split('\n').length;
  const column = before.length - before.lastIndexOf('\n');
  throw new LakeError('invalid-file', 'The file is not written in UTF-8', {
    where: `${shown}:${line}:${column}`,
    hint: 'Save it with the encoding UTF-8; nothing was done.',
  });
}
