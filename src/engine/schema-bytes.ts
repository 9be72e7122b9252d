import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { THRIFT } from '../parquet/thrift-compact.ts';
import { footerIn } from './parquet-part.ts';

const FIRST_TAIL_BYTES = 16 * 1024;
/** The key of metadata by which the engine takes bytes for geometries, with its length. */
const GEO = Buffer.from('\u0003geo', 'latin1');

/**
 * The schema of a local Parquet file as it stands in the footer, byte for byte: the engine makes the same types of the same bytes, so that it need be asked for one file of each.
 * Null where that is not certain or the file is not as it should be: then the engine is asked.
 */
export function schemaBytes(path: string): string | null {
  try {
    const footer = footerOf(path);
    return footer === null || footer.includes(GEO) ? null : schemaOf(footer);
  } catch {
    return null;
  }
}

function footerOf(path: string): Buffer | null {
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    const last = (bytes: number): Buffer => {
      const tail = Buffer.alloc(Math.min(bytes, size));
      return tail.subarray(0, readSync(file, tail, 0, tail.length, size - tail.length));
    };
    const found = footerIn(last(FIRST_TAIL_BYTES));
    const footer = typeof found === 'number' && found <= size ? footerIn(last(found)) : found;
    return footer instanceof Uint8Array ? Buffer.from(footer.buffer, footer.byteOffset, footer.length) : null;
  } finally {
    closeSync(file);
  }
}

const LIST_OF_STRUCTS = THRIFT.list | 0x10;
const VERSION = THRIFT.i32 | 0x10;
const ROWS = THRIFT.i64 | 0x10;

/** FileMetaData begins with the version, field 1, the schema, field 2, and the number of rows, field 3 (parquet.thrift; Thrift: compact protocol). */
function schemaOf(footer: Buffer): string | null {
  const at = new Skipper(footer);
  if (at.byte() !== VERSION) return null;
  at.varint();
  if (at.byte() !== LIST_OF_STRUCTS) return null;
  const start = at.position;
  at.skip(THRIFT.list);
  const schema = footer.toString('latin1', start, at.position);
  return at.byte() === ROWS ? schema : null;
}

class Skipper {
  position = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  byte(): number {
    return this.#bytes.readUInt8(this.position++);
  }

  varint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  }

  skip(type: number): void {
    if (type === THRIFT.struct) this.#struct();
    else if (type === THRIFT.list) this.#list();
    else if (type === THRIFT.binary) this.#pass(this.varint());
    else if (type === THRIFT.double) this.position += 8;
    else if (type === THRIFT.i16 || type === THRIFT.i32 || type === THRIFT.i64) this.varint();
    else if (type === THRIFT.byte) this.position++;
    else throw new RangeError(`type ${type} of Thrift is not used by Parquet`);
  }

  #pass(bytes: number): void {
    this.position += bytes;
  }

  #struct(): void {
    for (let header = this.byte(); header !== 0; header = this.byte()) {
      if (header >> 4 === 0) this.varint();
      const type = header & 0x0f;
      if (type !== THRIFT.true && type !== THRIFT.false) this.skip(type);
    }
  }

  #list(): void {
    const header = this.byte();
    const size = header >> 4 === 15 ? this.varint() : header >> 4;
    const type = header & 0x0f;
    // Booleans take a byte each in a list.
    const item = type === THRIFT.true || type === THRIFT.false ? THRIFT.byte : type;
    for (let i = 0; i < size; i++) this.skip(item);
  }
}
