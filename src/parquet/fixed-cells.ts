import { BufferType, Data, type DataType } from 'apache-arrow';
import { decimalParameters, fixedLength, type PrimitiveKind, primitiveKind } from '../iceberg/types.ts';
import { uuidBytes } from '../iceberg/value-binary.ts';
import { expectBigint, expectBytes, expectNumber, expectText, mismatch } from '../iceberg/value-kinds.ts';
import { sameArrowType } from './arrow-schema.ts';
import type { Cell } from './cell.ts';
import { type CellStore, withValidity } from './cell-store.ts';
import type { Validity } from './validity.ts';

const FIRST_ROOM = 256;

/** Bytes of one value. */
function widthOf(type: string): number {
  const kind = primitiveKind(type);
  if (kind === 'fixed') return fixedLength(type) ?? 0;
  if (kind === 'decimal' || kind === 'uuid') return 16;
  return kind === 'int' || kind === 'date' || kind === 'float' ? 4 : 8;
}

/** Values of one width, one after the other. */
export class FixedCells implements CellStore {
  readonly #type: string;
  readonly #kind: PrimitiveKind;
  readonly #width: number;
  readonly #limit: bigint;
  #length = 0;
  #u8: Uint8Array<ArrayBuffer>;
  #i32: Int32Array;
  #f32: Float32Array;
  #f64: Float64Array;
  #i64: BigInt64Array;

  /** @param room bytes to begin with */
  constructor(type: string, room: number) {
    this.#u8 = new Uint8Array(Math.ceil(Math.max(room, FIRST_ROOM) / 16) * 16);
    this.#i32 = new Int32Array(this.#u8.buffer);
    this.#f32 = new Float32Array(this.#u8.buffer);
    this.#f64 = new Float64Array(this.#u8.buffer);
    this.#i64 = new BigInt64Array(this.#u8.buffer);
    this.#type = type;
    this.#kind = primitiveKind(type);
    this.#width = widthOf(type);
    this.#limit = 10n ** BigInt(decimalParameters(type)?.precision ?? 0);
  }

  get bytes(): number {
    return this.#u8.length;
  }

  get used(): number {
    return this.#length * this.#width;
  }

  append(cell: Exclude<Cell, null>): void {
    this.#reserve(1);
    if (typeof cell === 'object' && !(cell instanceof Uint8Array)) mismatch(this.#type, String(cell));
    this.#set(cell);
    this.#length++;
  }

  skip(): void {
    this.#reserve(1);
    this.#length++;
  }

  #set(cell: boolean | number | bigint | string | Uint8Array): void {
    const at = this.#length;
    switch (this.#kind) {
      case 'int':
      case 'date':
        this.#i32[at] =
          Number.isInteger(cell) && Number(cell) === (Number(cell) | 0)
            ? Number(cell)
            : expectNumber(this.#type, cell);
        break;
      case 'float':
        this.#f32[at] = expectNumber('float', cell);
        break;
      case 'double':
        this.#f64[at] = typeof cell === 'number' ? cell : expectNumber('double', cell);
        break;
      case 'decimal': {
        const unscaled = expectBigint(this.#type, cell);
        if (unscaled >= this.#limit || unscaled <= -this.#limit) mismatch(this.#type, unscaled);
        this.#i64[at * 2] = BigInt.asIntN(64, unscaled);
        this.#i64[at * 2 + 1] = unscaled >> 64n;
        break;
      }
      case 'uuid':
        this.#u8.set(uuidBytes(expectText('uuid', cell)), at * 16);
        break;
      case 'fixed':
        this.#u8.set(expectBytes(this.#type, cell), at * this.#width);
        break;
      default:
        this.#i64[at] =
          typeof cell === 'bigint' && BigInt.asIntN(64, cell) === cell
            ? cell
            : expectBigint(this.#type, cell);
    }
  }

  copy(source: Data, rows: Int32Array | null): boolean {
    if (!sameArrowType(source.type, this.#type)) return false;
    const values: Uint8Array = new Uint8Array(
      source.values.buffer,
      source.values.byteOffset,
      source.length * this.#width,
    );
    const count = rows?.length ?? source.length;
    this.#reserve(count);
    const start = this.#length * this.#width;
    if (rows === null) this.#u8.set(values, start);
    else if (this.#width % 4 === 0 && values.byteOffset % 4 === 0) this.#gatherWords(values, rows);
    else
      for (let i = 0; i < count; i++) {
        const from = rows[i]! * this.#width;
        this.#u8.set(values.subarray(from, from + this.#width), start + i * this.#width);
      }
    this.#length += count;
    return true;
  }

  /** Copies bit by bit: as doubles, NaNs might change theirs. */
  #gatherWords(values: Uint8Array, rows: Int32Array): void {
    const stride = this.#width / 4;
    const from = new Int32Array(values.buffer, values.byteOffset, values.length / 4);
    const to = this.#i32;
    let at = this.#length * stride;
    if (stride === 1) for (let i = 0; i < rows.length; i++) to[at++] = from[rows[i]!]!;
    else if (stride === 2)
      for (let i = 0; i < rows.length; i++) {
        const row = rows[i]! * 2;
        to[at++] = from[row]!;
        to[at++] = from[row + 1]!;
      }
    else
      for (let i = 0; i < rows.length; i++)
        for (let word = 0; word < stride; word++) to[at++] = from[rows[i]! * stride + word]!;
  }

  #reserve(count: number): void {
    const needed = (this.#length + count) * this.#width;
    if (needed <= this.#u8.length) return;
    const room = Math.ceil(Math.max(needed, this.#u8.length * 2) / 16) * 16;
    const bytes = new Uint8Array(room);
    bytes.set(this.#u8);
    this.#u8 = bytes;
    this.#i32 = new Int32Array(bytes.buffer);
    this.#f32 = new Float32Array(bytes.buffer);
    this.#f64 = new Float64Array(bytes.buffer);
    this.#i64 = new BigInt64Array(bytes.buffer);
  }

  finish(type: DataType, length: number, validity: Validity): Data {
    return new Data(
      type,
      0,
      length,
      validity.nulls,
      withValidity(validity, { [BufferType.DATA]: this.#values(length) }),
    );
  }

  #values(length: number): Uint8Array | Int32Array | Float32Array | Float64Array | BigInt64Array {
    switch (this.#kind) {
      case 'int':
      case 'date':
        return this.#i32.subarray(0, length);
      case 'float':
        return this.#f32.subarray(0, length);
      case 'double':
        return this.#f64.subarray(0, length);
      case 'decimal':
        return this.#i32.subarray(0, length * 4);
      case 'uuid':
      case 'fixed':
        return this.#u8.subarray(0, length * this.#width);
      default:
        return this.#i64.subarray(0, length);
    }
  }
}
