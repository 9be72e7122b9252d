import { LakeError } from '../errors.ts';

/** Thrift's compact protocol, as Parquet footers use it. */
const BINARY = 8;
const LIST = 9;
const STRUCT = 12;

/** `10: LogicalType { 14: UUIDType {} }` of a SchemaElement, after its field 9. */
const UUID_FIELD = [0x1c, 0xec, 0x00, 0x00];

/**
 * Marks columns of 16 bytes as uuids in a Parquet file's footer: the encoder has no such type (Parquet: LogicalTypes, UUID; Iceberg spec: appendix A, "Parquet").
 *
 * @param ids field ids of the columns
 * @throws LakeError `internal` if the footer is not as the encoder writes it
 */
export function annotateUuids(file: Uint8Array, ids: ReadonlySet<number>): Uint8Array {
  if (ids.size === 0) return file;
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.length);
  const length = bytes.readUInt32LE(bytes.length - 8);
  const start = bytes.length - 8 - length;
  const footer = bytes.subarray(start, bytes.length - 8);
  const parts: Buffer[] = [bytes.subarray(0, start)];
  let copied = 0;
  for (const place of new FooterWalk(footer).uuidPlaces(ids)) {
    parts.push(footer.subarray(copied, place), Buffer.from(UUID_FIELD));
    copied = place;
  }
  const added = (parts.length - 1) * 2;
  const tail = Buffer.alloc(8);
  tail.writeUInt32LE(length + added, 0);
  tail.write('PAR1', 4, 'latin1');
  return Buffer.concat([...parts, footer.subarray(copied), tail]);
}

class FooterWalk {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(footer: Buffer) {
    this.#bytes = footer;
  }

  /** Where the annotation goes for each of the columns: before the end of its schema element. */
  uuidPlaces(ids: ReadonlySet<number>): number[] {
    const places: number[] = [];
    for (let field = this.#field(0); field !== null; field = this.#field(field.id)) {
      if (field.id !== 2) {
        this.#skip(field.type);
        continue;
      }
      const { size } = this.#listHeader();
      for (let i = 0; i < size; i++) {
        const place = this.#element(ids);
        if (place !== null) places.push(place);
      }
      break;
    }
    if (places.length !== ids.size) throw unexpected();
    return places;
  }

  /** Passes over a SchemaElement; where to annotate it, if it is one of the columns. */
  #element(ids: ReadonlySet<number>): number | null {
    let fieldId = -1;
    let last = 0;
    for (let field = this.#field(0); field !== null; field = this.#field(field.id)) {
      last = field.id;
      if (field.id === 9) fieldId = this.#zigzag();
      else this.#skip(field.type);
    }
    if (!ids.has(fieldId)) return null;
    if (last !== 9) throw unexpected();
    return this.#at - 1;
  }

  #field(before: number): { readonly id: number; readonly type: number } | null {
    const header = this.#byte();
    const type = header & 0x0f;
    if (type === 0) return null;
    const delta = header >> 4;
    return { id: delta === 0 ? this.#zigzag() : before + delta, type };
  }

  #listHeader(): { readonly size: number; readonly type: number } {
    const header = this.#byte();
    const size = header >> 4;
    return { size: size === 15 ? this.#varint() : size, type: header & 0x0f };
  }

  #skip(type: number): void {
    if (type === 1 || type === 2) return;
    if (type === 3) this.#at += 1;
    else if (type <= 6) this.#varint();
    else if (type === 7) this.#at += 8;
    else if (type === BINARY) {
      const length = this.#varint();
      this.#at += length;
    } else if (type === LIST) {
      const { size, type: item } = this.#listHeader();
      for (let i = 0; i < size; i++) this.#skip(item <= 2 ? 3 : item);
    } else if (type === STRUCT) {
      for (let field = this.#field(0); field !== null; field = this.#field(field.id)) this.#skip(field.type);
    } else throw unexpected();
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
    if (byte === undefined) throw unexpected();
    return byte;
  }
}

function unexpected(): LakeError {
  return new LakeError('internal', 'The footer of a new Parquet file is not as expected', {
    hint: 'Nothing was committed.',
  });
}
