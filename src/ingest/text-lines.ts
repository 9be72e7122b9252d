import { isUtf8 } from 'node:buffer';
import { LakeError } from '../errors.ts';

/** A line of a text file. */
export interface TextLine {
  /** From 1. */
  readonly line: number;
  readonly text: string;
  readonly fault: string | null;
}

const LONGEST = 64 * 1024 * 1024;
const LF = 0x0a;

/** The lines of a text in UTF-8, chunk by chunk; ends of lines (LF, CRLF) and a byte order mark are cut off. Memory is bounded by the longest line (64 MiB). Errors: `corrupt` for a longer one. */
export async function* textLines(
  name: string,
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<TextLine[]> {
  let parts: Buffer[] = [];
  let held = 0;
  let line = 0;
  for await (const chunk of chunks) {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    const lines: TextLine[] = [];
    let from = 0;
    for (let end = bytes.indexOf(LF); end >= 0; end = bytes.indexOf(LF, from)) {
      parts.push(bytes.subarray(from, end));
      lines.push(textLine(Buffer.concat(parts), ++line));
      parts = [];
      held = 0;
      from = end + 1;
    }
    if (from < bytes.length) {
      parts.push(Buffer.from(bytes.subarray(from)));
      held += bytes.length - from;
    }
    if (held > LONGEST)
      throw new LakeError('corrupt', `A line is longer than ${LONGEST} bytes`, {
        where: `${name}, line ${line + 1}`,
        hint: 'Nothing was committed. JSON lines has one object a line.',
      });
    if (lines.length > 0) yield lines;
  }
  if (held > 0) yield [textLine(Buffer.concat(parts), ++line)];
}

function textLine(bytes: Buffer, line: number): TextLine {
  const marked = line === 1 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  const end = bytes.at(-1) === 0x0d ? bytes.length - 1 : bytes.length;
  const content = bytes.subarray(marked ? 3 : 0, end);
  return isUtf8(content)
    ? { line, text: content.toString('utf8'), fault: null }
    : { line, text: escapedText(content), fault: 'it is not valid UTF-8' };
}

/** Bytes as text: what is no ASCII as `\xHH`, so that nothing of a broken row is lost. */
export function escapedText(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('latin1')
    .replace(/[\x80-\xff]/g, (character) => `\\x${character.charCodeAt(0).toString(16)}`);
}
