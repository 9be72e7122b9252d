import { BufferType, Data, type DataType, Type } from 'apache-arrow';
import { expectBytes, expectText, mismatch } from '../iceberg/value-kinds.ts';
import type { Cell } from './cell.ts';
import { type CellStore, withValidity } from './cell-store.ts';
import type { Validity } from './validity.ts';

/** Texts or byte strings, one after the other. */
export class TextCells implements CellStore {
  readonly #type: 'string' | 'binary';
  #bytes: Buffer<ArrayBuffer>;
  #used = 0;
  #offsets = new Int32Array(64);
  #length = 0;

  /** @param room bytes to begin with */
  constructor(type: 'string' | 'binary', room: number) {
    this.#type = type;
    this.#bytes = Buffer.allocUnsafeSlow(Math.max(room, 512));
  }

  get used(): number {
    return this.#used + this.#length * 4;
  }

  get bytes(): number {
    return this.#bytes.length + this.#offsets.byteLength;
  }

  append(cell: Exclude<Cell, null>): void {
    if (this.#type === 'string') {
      const text = typeof cell === 'string' ? expectText('string', cell) : mismatch('string', String(cell));
      this.#reserve(1, text.length * 3);
      this.#used += this.#bytes.write(text, this.#used, 'utf8');
    } else {
      const bytes =
        cell instanceof Uint8Array ? expectBytes('binary', cell) : mismatch('binary', String(cell));
      this.#reserve(1, bytes.length);
      this.#bytes.set(bytes, this.#used);
      this.#used += bytes.length;
    }
    this.#offsets[++this.#length] = this.#used;
  }

  skip(): void {
    this.#reserve(1, 0);
    this.#offsets[++this.#length] = this.#used;
  }

  copy(source: Data, rows: Int32Array | null): boolean {
    const from = offsetsOf(source, this.#type);
    if (from === null) return false;
    const values: Uint8Array = source.values;
    const { words, stride } = from;
    const count = rows?.length ?? source.length;
    if (rows === null) {
      const [start, end] = [words[0]!, words[count * stride]!];
      this.#reserve(count, end - start);
      this.#copyAll(values.subarray(start, end), from, count);
      return true;
    }
    let size = 0;
    for (let i = 0; i < count; i++) size += words[(rows[i]! + 1) * stride]! - words[rows[i]! * stride]!;
    this.#reserve(count, size);
    this.#copyRows(values, from, rows);
    return true;
  }

  #copyAll(values: Uint8Array, { words, stride }: Offsets, count: number): void {
    this.#bytes.set(values, this.#used);
    const offsets = this.#offsets;
    const shift = this.#used - words[0]!;
    for (let i = 1, at = this.#length + 1; i <= count; i++, at++) offsets[at] = words[i * stride]! + shift;
    this.#length += count;
    this.#used += values.length;
  }

  #copyRows(values: Uint8Array, { words, stride }: Offsets, rows: Int32Array): void {
    const [bytes, offsets] = [this.#bytes, this.#offsets];
    let used = this.#used;
    let length = this.#length;
    for (let i = 0; i < rows.length; i++) {
      const at = rows[i]! * stride;
      const [start, end] = [words[at]!, words[at + stride]!];
      if (end - start > 32) {
        bytes.set(values.subarray(start, end), used);
        used += end - start;
      } else for (let at = start; at < end; at++) bytes[used++] = values[at]!;
      offsets[++length] = used;
    }
    this.#length = length;
    this.#used = used;
  }

  #reserve(count: number, size: number): void {
    if (this.#length + count >= this.#offsets.length) {
      const offsets = new Int32Array(Math.max(this.#length + count + 1, this.#offsets.length * 2));
      offsets.set(this.#offsets);
      this.#offsets = offsets;
    }
    if (this.#used + size <= this.#bytes.length) return;
    const bytes = Buffer.allocUnsafeSlow(Math.max(this.#used + size, this.#bytes.length * 2));
    bytes.set(this.#bytes.subarray(0, this.#used));
    this.#bytes = bytes;
  }

  finish(type: DataType, length: number, validity: Validity): Data {
    const buffers = {
      [BufferType.OFFSET]: this.#offsets.subarray(0, length + 1),
      [BufferType.DATA]: new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset, this.#used),
    };
    return new Data(type, 0, length, validity.nulls, withValidity(validity, buffers));
  }
}

/** Where texts begin: every `stride`th word. */
interface Offsets {
  readonly words: Int32Array;
  readonly stride: 1 | 2;
}

/** Where texts begin, if the column holds them as this one does. Of long offsets the low words: a batch of 2 GB of text goes cell by cell. */
function offsetsOf(source: Data, type: 'string' | 'binary'): Offsets | null {
  const offsets: unknown = source.valueOffsets;
  const isLong = source.typeId === (type === 'string' ? Type.LargeUtf8 : Type.LargeBinary);
  if (isLong && offsets instanceof BigInt64Array) {
    if (offsets[source.length]! > 0x7fffffffn) return null;
    return { words: new Int32Array(offsets.buffer, offsets.byteOffset, offsets.length * 2), stride: 2 };
  }
  const isShort = source.typeId === (type === 'string' ? Type.Utf8 : Type.Binary);
  return isShort && offsets instanceof Int32Array ? { words: offsets, stride: 1 } : null;
}
