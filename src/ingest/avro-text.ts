import { isUtf8 } from 'node:buffer';
import avsc from 'avsc';
import { escapedText } from './text-lines.ts';

/** Stands at the end of a text that is no UTF-8: half a character, which no valid text can hold. */
const MARK = '\udc80';

interface Tap {
  /** Undefined where the bytes end too early. */
  readBytes(): Buffer | undefined;
}

/** Avro's string. avsc would put U+FFFD in place of bytes that are no UTF-8, and nobody could tell. Such a text comes with its bytes as `\xHH` and a mark that makes it malformed. */
class CheckedString extends avsc.types.StringType {
  _read(tap: Tap): string {
    const bytes = tap.readBytes() ?? Buffer.alloc(0);
    return isUtf8(bytes) ? bytes.toString('utf8') : escapedText(bytes) + MARK;
  }
}

/** For avsc's option `registry`. */
export const CHECKED_STRING: avsc.Type = new CheckedString();

/** A text without the mark. */
export function unmarked(text: string): string {
  return text.endsWith(MARK) ? text.slice(0, -MARK.length) : text;
}
