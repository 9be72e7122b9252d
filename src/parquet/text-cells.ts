import { BufferType, Data, type DataType, Type } from 'apache-arrow';
import { expectBytes, expectText, mismatch } from '../iceberg/value-kinds.ts';
import type { Cell } from './cell.ts';
import { type CellStore, withValidity } from './cell-store.ts';
import type { Validity } from './validity.ts';

/** Texts or byte strings, one after the other. */
export class TextCells implements CellStore {
  readonly #type: 'string' | 'binary';
  #bytes = Buffer.allocUnsafeSlow(512);
  #used = 0;
  #offsets = new Int32Array(64);
  #length = 0;

  constructor(type: 'string' | 'binary') {
    this.#type = type;
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
    const count = rows?.length ?? source.length;
    let size = 0;
    if (rows === null) size = from[count]! - from[0]!;
    else for (let i = 0; i < count; i++) size += from[rows[i]! + 1]! - from[rows[i]!]!;
    this.#reserve(count, size);
    if (rows === null) this.#copyAll(values, from, count);
    else this.#copyRows(values, from, rows);
    return true;
  }

  #copyAll(values: Uint8Array, from: Int32Array, count: number): void {
    this.#bytes.set(values.subarray(from[0]!, from[count]!), this.#used);
    const shift = this.#used - from[0]!;
    for (let i = 1; i <= count; i++) this.#offsets[this.#length + i] = from[i]! + shift;
    this.#length += count;
    this.#used += from[count]! - from[0]!;
  }

  #copyRows(values: Uint8Array, from: Int32Array, rows: Int32Array): void {
    const [bytes, offsets] = [this.#bytes, this.#offsets];
    let used = this.#used;
    for (let i = 0; i < rows.length; i++) {
      const [start, end] = [from[rows[i]!]!, from[rows[i]! + 1]!];
      if (end - start > 32) {
        bytes.set(values.subarray(start, end), used);
        used += end - start;
      } else for (let at = start; at < end; at++) bytes[used++] = values[at]!;
      offsets[++this.#length] = used;
    }
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

/** Where texts begin, if the column holds them as this one does. Long offsets are cut: a batch of 2 GB of text goes cell by cell. */
function offsetsOf(source: Data, type: 'string' | 'binary'): Int32Array | null {
  const offsets: unknown = source.valueOffsets;
  const isLong = source.typeId === (type === 'string' ? Type.LargeUtf8 : Type.LargeBinary);
  if (isLong && offsets instanceof BigInt64Array) {
    if (offsets[source.length]! > 0x7fffffffn) return null;
    const words = new Int32Array(offsets.buffer, offsets.byteOffset, offsets.length * 2);
    const short = new Int32Array(source.length + 1);
    for (let i = 0; i <= source.length; i++) short[i] = words[i * 2]!;
    return short;
  }
  const isShort = source.typeId === (type === 'string' ? Type.Utf8 : Type.Binary);
  return isShort && offsets instanceof Int32Array ? offsets : null;
}
