import { LakeError } from '../errors.ts';
import {
  readThrift,
  THRIFT,
  type ThriftList,
  type ThriftStruct,
  type ThriftValue,
  writeThrift,
} from './thrift-compact.ts';

/** Where things stand in Parquet's footer (parquet.thrift). */
const FILE = { schema: 2, rows: 3, rowGroups: 4 } as const;
const ELEMENT = { fieldId: 9, logicalType: 10 } as const;
const UUID_TYPE = 14;
const GROUP = { columns: 1, fileOffset: 5, ordinal: 7 } as const;
const CHUNK = {
  fileOffset: 2,
  metadata: 3,
  offsetIndex: 4,
  offsetIndexLength: 5,
  columnIndex: 6,
  columnIndexLength: 7,
} as const;
/** Offsets in a chunk's metadata: data page, index page, dictionary page. */
const PAGE_OFFSETS = [9, 10, 11];

const MAGIC = Buffer.from('PAR1', 'latin1');
const TAIL = 8;

/** A column chunk's page indexes, which stand between the last row group and the footer. */
interface PageIndexes {
  readonly chunk: ThriftStruct;
  readonly columnIndex: Uint8Array | null;
  readonly offsetIndex: Uint8Array | null;
}

/**
 * Puts Parquet files of the same columns together to one: their row groups one after the other as they are, with one footer (Parquet: file format, page index). Row groups can so be encoded apart,
 * and are written out as they come. Marks uuids, which the encoder does not know (Iceberg spec: appendix A, "Parquet").
 */
export class ParquetAssembly {
  readonly #uuids: ReadonlySet<number>;
  readonly #groups: ThriftValue[] = [];
  readonly #indexes: PageIndexes[] = [];
  #first: ThriftStruct | null = null;
  #rows = 0;
  #length = 0;

  /** @param uuids field ids of uuid columns, nested ones too */
  constructor(uuids: ReadonlySet<number>) {
    this.#uuids = uuids;
  }

  /** Bytes of the file so far. */
  get length(): number {
    return this.#length;
  }

  /** Takes the row groups of an encoded file; what comes next in the file. Errors: `internal` if it is not as the encoder writes it. */
  add(encoded: Uint8Array): Uint8Array {
    const { footer, start } = expected(() => footerOf(encoded));
    const begin = this.#length === 0 ? 0 : MAGIC.length;
    const shift = this.#length - begin;
    let end = start;
    expected(() => {
      for (const group of listOf(footer, FILE.rowGroups).items)
        end = Math.min(end, this.#takeGroup(structOf(group), encoded, shift));
    });
    this.#first ??= footer;
    this.#rows += numberOf(footer, FILE.rows);
    this.#length += end - begin;
    return encoded.subarray(begin, end);
  }

  /** Moves a row group by `shift` bytes; where its page indexes begin. */
  #takeGroup(group: ThriftStruct, encoded: Uint8Array, shift: number): number {
    let end = encoded.length;
    move(group, GROUP.fileOffset, shift);
    group.set(GROUP.ordinal, { type: THRIFT.i16, value: this.#groups.length });
    for (const item of listOf(group, GROUP.columns).items) {
      const chunk = structOf(item);
      move(chunk, CHUNK.fileOffset, shift);
      const metadata = structOf(chunk.get(CHUNK.metadata)?.value);
      for (const field of PAGE_OFFSETS) move(metadata, field, shift);
      const columnIndex = slice(encoded, chunk, CHUNK.columnIndex, CHUNK.columnIndexLength);
      const offsetIndex = slice(encoded, chunk, CHUNK.offsetIndex, CHUNK.offsetIndexLength);
      for (const index of [columnIndex, offsetIndex])
        if (index) end = Math.min(end, index.byteOffset - encoded.byteOffset);
      this.#indexes.push({
        chunk,
        // A copy: the row group itself need not stay in memory.
        columnIndex: columnIndex && new Uint8Array(columnIndex),
        offsetIndex: offsetIndex && movedOffsetIndex(offsetIndex, shift),
      });
    }
    this.#groups.push(group);
    return end;
  }

  /** The end of the file, and its footer. At least one file must have been added. */
  finish(): { readonly bytes: Uint8Array; readonly footer: ThriftStruct } {
    const footer: ThriftStruct = new Map(this.#first ?? unexpected());
    const parts: Uint8Array[] = [];
    const place = (chunk: ThriftStruct, index: Uint8Array | null, at: number, length: number): void => {
      if (index === null) return;
      chunk.set(at, { type: THRIFT.i64, value: this.#length });
      chunk.set(length, { type: THRIFT.i32, value: index.length });
      parts.push(index);
      this.#length += index.length;
    };
    for (const { chunk, columnIndex } of this.#indexes)
      place(chunk, columnIndex, CHUNK.columnIndex, CHUNK.columnIndexLength);
    for (const { chunk, offsetIndex } of this.#indexes)
      place(chunk, offsetIndex, CHUNK.offsetIndex, CHUNK.offsetIndexLength);
    footer.set(FILE.rows, { type: THRIFT.i64, value: this.#rows });
    footer.set(FILE.rowGroups, { type: THRIFT.list, value: { type: THRIFT.struct, items: this.#groups } });
    this.#annotateUuids(footer);
    const bytes = writeThrift(footer);
    const tail = Buffer.alloc(TAIL);
    tail.writeUInt32LE(bytes.length, 0);
    MAGIC.copy(tail, TAIL - MAGIC.length);
    this.#length += bytes.length + TAIL;
    return { bytes: Buffer.concat([...parts, bytes, tail]), footer };
  }

  #annotateUuids(footer: ThriftStruct): void {
    for (const item of listOf(footer, FILE.schema).items) {
      const element = structOf(item);
      if (!this.#uuids.has(numberOf(element, ELEMENT.fieldId))) continue;
      const uuid: ThriftStruct = new Map([[UUID_TYPE, { type: THRIFT.struct, value: new Map() }]]);
      element.set(ELEMENT.logicalType, { type: THRIFT.struct, value: uuid });
    }
  }
}

function footerOf(file: Uint8Array): { readonly footer: ThriftStruct; readonly start: number } {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const start = file.length - TAIL - view.getUint32(file.length - TAIL, true);
  return { footer: readThrift(file.subarray(start, file.length - TAIL)), start };
}

/** An OffsetIndex whose pages lie `shift` bytes further on. */
function movedOffsetIndex(bytes: Uint8Array, shift: number): Uint8Array {
  if (shift === 0) return new Uint8Array(bytes);
  const index = readThrift(bytes);
  for (const page of listOf(index, 1).items) move(structOf(page), 1, shift);
  return writeThrift(index);
}

/** Adds to an offset, if it is there; 0 stands for none. */
function move(struct: ThriftStruct, field: number, shift: number): void {
  const offset = numberOf(struct, field);
  if (offset > 0) struct.set(field, { type: THRIFT.i64, value: offset + shift });
}

function slice(file: Uint8Array, chunk: ThriftStruct, at: number, length: number): Uint8Array | null {
  const start = numberOf(chunk, at);
  return start > 0 ? file.subarray(start, start + numberOf(chunk, length)) : null;
}

/** A field that is a list. Errors: `internal` if it is none. */
export function listOf(struct: ThriftStruct, field: number): ThriftList {
  const value = struct.get(field)?.value;
  if (typeof value !== 'object' || value instanceof Uint8Array || value instanceof Map) return unexpected();
  return value;
}

/** A value that is a struct. Errors: `internal` if it is none. */
export function structOf(value: ThriftValue | undefined): ThriftStruct {
  return value instanceof Map ? value : unexpected();
}

/** A field that is an integer; 0 if it is not there. */
export function numberOf(struct: ThriftStruct, field: number): number {
  const value = struct.get(field)?.value;
  return typeof value === 'number' ? value : 0;
}

function expected<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    return error instanceof RangeError ? unexpected(error) : raise(error);
  }
}

function raise(error: unknown): never {
  throw error;
}

function unexpected(cause?: unknown): never {
  throw new LakeError('internal', 'A new Parquet file is not as its encoder should write it', {
    hint: 'Nothing was committed.',
    ...(cause === undefined ? {} : { cause }),
  });
}
