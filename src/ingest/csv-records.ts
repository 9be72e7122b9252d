import { isUtf8 } from 'node:buffer';
import { LakeError } from '../errors.ts';

export interface CsvOptions {
  /** One character; `,` by default. */
  readonly delimiter?: string;
  /** Unquoted fields of this text are null; the empty text by default. */
  readonly nullText?: string;
}

/** A record of a CSV file. */
export interface CsvRecord {
  /** Its first line, from 1. */
  readonly line: number;
  readonly fields: readonly (string | null)[];
  /** What is wrong with its form; `fields` is empty then. */
  readonly fault: string | null;
  /** Its bytes, without the end of the line. */
  readonly raw: Buffer;
}

/** A record may have so many bytes; more is a quote that does not end. */
const LONGEST = 16 * 1024 * 1024;

const QUOTE = 0x22;
const CR = 0x0d;
const LF = 0x0a;

interface Scanned {
  /** After the end of the line. */
  readonly next: number;
  /** Before it. */
  readonly end: number;
  readonly lines: number;
  readonly fields: (string | null)[];
  readonly fault: string | null;
}

/**
 * Reads CSV as RFC 4180 has it: quotes are doubled within quotes, quoted fields may hold ends of lines; lines end in LF or CRLF; a byte order mark is passed over. Strict: a quote within an unquoted field,
 * text after a closing quote, and broken UTF-8 are faults of the record. An empty line is no record. Memory is bounded by the longest record (16 MiB).
 *
 * @param name of the file, for errors
 * @throws LakeError `corrupt` for a longer record: what a quote that does not end has swallowed cannot be told row by row
 */
export async function* csvRecords(
  name: string,
  chunks: AsyncIterable<Uint8Array>,
  options: CsvOptions = {},
): AsyncGenerator<CsvRecord[]> {
  const scanner = new CsvScanner(name, options);
  for await (const chunk of chunks) {
    const records = scanner.push(chunk);
    if (records.length > 0) yield records;
  }
  const rest = scanner.finish();
  if (rest.length > 0) yield rest;
}

class CsvScanner {
  readonly #name: string;
  readonly #delimiter: number;
  readonly #nullText: string;
  #rest: Buffer = Buffer.alloc(0);
  #line = 1;
  #begun = false;

  constructor(name: string, options: CsvOptions) {
    this.#name = name;
    this.#delimiter = (options.delimiter ?? ',').charCodeAt(0);
    this.#nullText = options.nullText ?? '';
  }

  push(chunk: Uint8Array): CsvRecord[] {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    return this.#take(false);
  }

  finish(): CsvRecord[] {
    return this.#take(true);
  }

  #take(last: boolean): CsvRecord[] {
    const buffer = this.#rest;
    const records: CsvRecord[] = [];
    if (!this.#begun && buffer.length < 3 && !last) return records;
    let at = this.#start(buffer);
    while (at < buffer.length) {
      const scanned = this.#scan(buffer, at, last);
      if (scanned === null) {
        if (buffer.length - at <= LONGEST) break;
        throw this.#tooLong();
      }
      if (scanned.end > at || scanned.fault !== null)
        records.push({
          line: this.#line,
          fields: scanned.fields,
          fault: scanned.fault,
          raw: buffer.subarray(at, scanned.end),
        });
      this.#line += scanned.lines;
      at = scanned.next;
    }
    // A copy, so that the chunk does not live on for a few bytes of it.
    this.#rest = Buffer.from(buffer.subarray(at));
    return records;
  }

  /** Where the first record begins: after a byte order mark. */
  #start(buffer: Buffer): number {
    if (this.#begun) return 0;
    this.#begun = true;
    return buffer.length >= 3 && buffer[0] === 0xef && buffer[1] === 0xbb && buffer[2] === 0xbf ? 3 : 0;
  }

  #tooLong(): LakeError {
    return new LakeError('corrupt', `A record is longer than ${LONGEST} bytes: a quote in it does not end`, {
      where: `${this.#name}, line ${this.#line}`,
      hint: 'Nothing was committed. Mend the quote.',
    });
  }

  /** The record that begins at `start`; null if its end is not there yet. */
  #scan(buffer: Buffer, start: number, last: boolean): Scanned | null {
    const fields: (string | null)[] = [];
    let lines = 0;
    let fault: string | null = null;
    let at = start;
    for (;;) {
      let text: string | null;
      if (buffer[at] === QUOTE) {
        const close = closingQuote(buffer, at + 1);
        // The closing quote may be the first of a pair that the next chunk completes.
        if (close < 0 || (close + 1 >= buffer.length && !last)) {
          if (close >= 0 || !last) return null;
          return this.#faulty(buffer, start, 'a quote does not end', last);
        }
        text = buffer.toString('utf8', at + 1, close);
        if (text.includes('"')) text = text.replaceAll('""', '"');
        for (let i = buffer.indexOf(LF, at); i >= 0 && i < close; i = buffer.indexOf(LF, i + 1)) lines++;
        at = close + 1;
      } else {
        const from = at;
        while (
          at < buffer.length &&
          buffer[at] !== this.#delimiter &&
          buffer[at] !== LF &&
          buffer[at] !== QUOTE
        )
          at++;
        if (at >= buffer.length && !last) return null;
        const isEnd = at >= buffer.length || buffer[at] === LF;
        const to = isEnd && at > from && buffer[at - 1] === CR ? at - 1 : at;
        text = buffer.toString('utf8', from, to);
        if (text === this.#nullText) text = null;
        if (buffer[at] === QUOTE)
          return this.#faulty(
            buffer,
            start,
            'a quote stands within a field that does not begin with one',
            last,
          );
      }
      fields.push(text);
      if (buffer[at] === this.#delimiter && at < buffer.length) {
        at++;
        // A delimiter that ends the input has an empty field after it.
        if (at >= buffer.length && !last) return null;
        continue;
      }
      if (buffer[at] === CR && at + 1 >= buffer.length && !last) return null;
      const end =
        buffer[at] === CR ? at : at > start && buffer[at - 1] === CR && buffer[at] === LF ? at - 1 : at;
      if (at >= buffer.length)
        return this.#checked(buffer, start, {
          next: at,
          end: trimmedEnd(buffer, start, at),
          lines: lines + 1,
          fields,
          fault,
        });
      if (buffer[at] === LF)
        return this.#checked(buffer, start, { next: at + 1, end, lines: lines + 1, fields, fault });
      if (buffer[at] === CR && buffer[at + 1] === LF)
        return this.#checked(buffer, start, { next: at + 2, end: at, lines: lines + 1, fields, fault });
      fault = 'there is text after the closing quote of a field';
      return this.#faulty(buffer, start, fault, last);
    }
  }

  #checked(buffer: Buffer, start: number, scanned: Scanned): Scanned {
    if (isUtf8(buffer.subarray(start, scanned.end))) return scanned;
    return { ...scanned, fields: [], fault: 'it is not valid UTF-8' };
  }

  /** A record that ends at the end of its line, whatever quotes are in it. */
  #faulty(buffer: Buffer, start: number, fault: string, last: boolean): Scanned | null {
    const newline = buffer.indexOf(LF, start);
    if (newline < 0 && !last) return null;
    const stop = newline < 0 ? buffer.length : newline;
    return {
      next: newline < 0 ? stop : stop + 1,
      end: trimmedEnd(buffer, start, stop),
      lines: 1,
      fields: [],
      fault,
    };
  }
}

function trimmedEnd(buffer: Buffer, start: number, end: number): number {
  return end > start && buffer[end - 1] === CR ? end - 1 : end;
}

/** Where the quote is that ends a field; -1 if it is not there. */
function closingQuote(buffer: Buffer, from: number): number {
  for (let at = buffer.indexOf(QUOTE, from); at >= 0; at = buffer.indexOf(QUOTE, at + 2)) {
    if (buffer[at + 1] !== QUOTE) return at;
  }
  return -1;
}
