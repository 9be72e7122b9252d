/** A value of Thrift's compact protocol: integers as numbers (Parquet's stay below 2^53), doubles as their eight bytes. */
export type ThriftValue = boolean | number | Uint8Array | ThriftList | ThriftStruct;

export interface ThriftList {
  readonly type: number;
  readonly items: ThriftValue[];
}

/** By field id. */
export type ThriftStruct = Map<number, { readonly type: number; readonly value: ThriftValue }>;

/** Type codes of the protocol. */
export const THRIFT = {
  true: 1,
  false: 2,
  byte: 3,
  i16: 4,
  i32: 5,
  i64: 6,
  double: 7,
  binary: 8,
  list: 9,
  struct: 12,
} as const;

/** Reads a struct that begins at the start of `bytes` (Thrift: compact protocol, as Parquet footers use it). Errors: RangeError if it is cut off or holds a type that Parquet does not use. */
export function readThrift(bytes: Uint8Array): ThriftStruct {
  return new ThriftReader(bytes).struct();
}

/** The bytes of a struct; its fields in the order of their ids. */
export function writeThrift(struct: ThriftStruct): Uint8Array {
  const writer = new ThriftWriter();
  writer.struct(struct);
  return Uint8Array.from(writer.bytes);
}

class ThriftReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  struct(): ThriftStruct {
    const fields: ThriftStruct = new Map();
    for (let id = 0, header = this.#byte(); header !== 0; header = this.#byte()) {
      const type = header & 0x0f;
      id = header >> 4 === 0 ? this.#zigzag() : id + (header >> 4);
      const value = type === THRIFT.true || type === THRIFT.false ? type === THRIFT.true : this.#value(type);
      fields.set(id, { type, value });
    }
    return fields;
  }

  #value(type: number): ThriftValue {
    switch (type) {
      case THRIFT.true:
      case THRIFT.false:
        return this.#byte() === THRIFT.true;
      case THRIFT.byte:
        return this.#byte();
      case THRIFT.i16:
      case THRIFT.i32:
      case THRIFT.i64:
        return this.#zigzag();
      case THRIFT.double:
        return this.#take(8);
      case THRIFT.binary:
        return this.#take(this.#varint());
      case THRIFT.list:
        return this.#list();
      case THRIFT.struct:
        return this.struct();
      default:
        throw new RangeError(`type ${type} of Thrift is not used by Parquet`);
    }
  }

  #list(): ThriftList {
    const header = this.#byte();
    const size = header >> 4 === 15 ? this.#varint() : header >> 4;
    const type = header & 0x0f;
    return { type, items: Array.from({ length: size }, () => this.#value(type)) };
  }

  #take(length: number): Uint8Array {
    if (this.#at + length > this.#bytes.length) throw new RangeError('the struct is cut off');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  #zigzag(): number {
    const value = this.#varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  #varint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw new RangeError('the struct is cut off');
    return byte;
  }
}

class ThriftWriter {
  readonly bytes: number[] = [];

  struct(fields: ThriftStruct): void {
    let last = 0;
    for (const [id, { type, value }] of [...fields].sort(([a], [b]) => a - b)) {
      const isBoolean = type === THRIFT.true || type === THRIFT.false;
      const written = isBoolean ? (value === true ? THRIFT.true : THRIFT.false) : type;
      if (id - last <= 15) this.bytes.push(((id - last) << 4) | written);
      else {
        this.bytes.push(written);
        this.#zigzag(id);
      }
      last = id;
      if (!isBoolean) this.#value(type, value);
    }
    this.bytes.push(0);
  }

  #value(type: number, value: ThriftValue): void {
    if (typeof value === 'boolean') this.bytes.push(value ? THRIFT.true : THRIFT.false);
    else if (typeof value === 'number') {
      if (type === THRIFT.byte) this.bytes.push(value);
      else this.#zigzag(value);
    } else if (value instanceof Uint8Array) {
      if (type === THRIFT.binary) this.#varint(value.length);
      for (const byte of value) this.bytes.push(byte);
    } else if (value instanceof Map) this.struct(value);
    else {
      const { length } = value.items;
      this.bytes.push((Math.min(length, 15) << 4) | value.type);
      if (length >= 15) this.#varint(length);
      for (const item of value.items) this.#value(value.type, item);
    }
  }

  #zigzag(value: number): void {
    this.#varint(value < 0 ? -value * 2 - 1 : value * 2);
  }

  #varint(value: number): void {
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.bytes.push((rest % 128) | 0x80);
    this.bytes.push(rest);
  }
}
