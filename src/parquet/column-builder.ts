import { BufferType, Data, type DataType } from 'apache-arrow';
import { LakeError } from '../errors.ts';
import type { NestedField, Type } from '../iceberg/types.ts';
import { arrowCell } from './arrow-cell.ts';
import { arrowType } from './arrow-schema.ts';
import type { Cell } from './cell.ts';
import { type CellStore, withValidity } from './cell-store.ts';
import { FixedCells } from './fixed-cells.ts';
import { TextCells } from './text-cells.ts';
import { Validity } from './validity.ts';

/** Builds one Arrow column, from cells or from parts of other Arrow columns. */
export class ColumnBuilder {
  readonly #field: NestedField;
  readonly #arrow: DataType;
  #validity = new Validity();
  #cells: CellStore;
  #length = 0;

  constructor(field: NestedField) {
    this.#field = field;
    this.#arrow = arrowType(field.type);
    this.#cells = cellStore(field.type, 0);
  }

  get length(): number {
    return this.#length;
  }

  /** Bytes held, spare room included. */
  get bytes(): number {
    return this.#cells.bytes + this.#validity.bytes;
  }

  /** Bytes of cells. */
  get used(): number {
    return this.#cells.used;
  }

  /** Errors: `invalid-argument` for a cell that is none of the type, and for a null in a required column. */
  append(cell: Cell): void {
    if (cell === null) {
      if (this.#field.required) throw missing(this.#field.name);
      this.#cells.skip();
    } else {
      this.#cells.append(cell);
    }
    this.#validity.add(cell !== null);
    this.#length++;
  }

  /** Adds the cells of `source` at `rows` (all if null). Errors: as `append`. */
  take(source: Data, rows: Int32Array | null): void {
    const count = rows?.length ?? source.length;
    if (!this.#cells.copy(source, rows)) {
      for (let i = 0; i < count; i++) this.append(arrowCell(this.#field.type, source, rows ? rows[i]! : i));
      return;
    }
    if (source.nullCount === 0) this.#validity.addValid(count);
    else
      for (let i = 0; i < count; i++) {
        const valid = source.getValid(rows ? rows[i]! : i);
        if (!valid && this.#field.required) throw missing(this.#field.name);
        this.#validity.add(valid);
      }
    this.#length += count;
  }

  /**
   * The column, and an empty builder again.
   *
   * @param more as many cells will come again
   */
  finish(more = false): Data {
    const room = more ? Math.ceil(this.#cells.used * 1.05) : 0;
    const data = this.#cells.finish(this.#arrow, this.#length, this.#validity);
    this.#validity = new Validity();
    this.#cells = cellStore(this.#field.type, room);
    this.#length = 0;
    return data;
  }
}

function missing(name: string): LakeError {
  return new LakeError('invalid-argument', `The required column "${name}" would hold a null`, {
    hint: 'Give it a value, or make the column optional.',
  });
}

function cellStore(type: Type, room: number): CellStore {
  if (typeof type !== 'string') {
    if (type.type === 'struct') return new StructCells(type.fields);
    const child =
      type.type === 'list'
        ? new ColumnBuilder({
            id: type['element-id'],
            name: 'element',
            required: type['element-required'],
            type: type.element,
          })
        : new EntryBuilder(type.key, type.value, type['value-required']);
    return new ListCells(child);
  }
  if (type === 'string' || type === 'binary') return new TextCells(type, room);
  if (type === 'boolean') return new BooleanCells();
  return new FixedCells(type, room);
}

class BooleanCells implements CellStore {
  #values = new Validity();

  get bytes(): number {
    return this.#values.bytes;
  }

  get used(): number {
    return this.#values.bytes;
  }

  append(cell: Exclude<Cell, null>): void {
    if (typeof cell !== 'boolean')
      throw new LakeError('invalid-argument', `${String(cell)} is not a value of type boolean`);
    this.#values.add(cell);
  }

  skip(): void {
    this.#values.add(false);
  }

  copy(): boolean {
    return false;
  }

  finish(type: DataType, length: number, validity: Validity): Data {
    const bits = this.#values.bitmap() ?? new Uint8Array((length + 7) >> 3).fill(0xff);
    return new Data(type, 0, length, validity.nulls, withValidity(validity, { [BufferType.DATA]: bits }));
  }
}

class StructCells implements CellStore {
  readonly #children: readonly ColumnBuilder[];
  readonly #fields: readonly NestedField[];

  constructor(fields: readonly NestedField[]) {
    this.#fields = fields;
    // Below a null struct a required field holds a null too: Arrow marks it by the struct's own bitmap.
    this.#children = fields.map((field) => new ColumnBuilder({ ...field, required: false }));
  }

  get bytes(): number {
    return this.#children.reduce((sum, child) => sum + child.bytes, 0);
  }

  get used(): number {
    return this.#children.reduce((sum, child) => sum + child.used, 0);
  }

  append(cell: Exclude<Cell, null>): void {
    if (!Array.isArray(cell)) throw new LakeError('invalid-argument', 'a value is no struct');
    this.#children.forEach((child, i) => {
      const value: Cell = cell[i] ?? null;
      const field = this.#fields[i];
      if (value === null && field?.required) throw missing(field.name);
      child.append(value);
    });
  }

  skip(): void {
    for (const child of this.#children) child.append(null);
  }

  copy(): boolean {
    return false;
  }

  finish(type: DataType, length: number, validity: Validity): Data {
    const children = this.#children.map((child) => child.finish());
    return new Data(type, 0, length, validity.nulls, withValidity(validity, {}), children);
  }
}

/** The entries of maps: a struct of key and value that is never null. */
class EntryBuilder {
  readonly #cells: StructCells;
  readonly #arrow: DataType;
  #length = 0;

  constructor(key: Type, value: Type, valueRequired: boolean) {
    const fields = [
      { id: 0, name: 'key', required: true, type: key },
      { id: 0, name: 'value', required: valueRequired, type: value },
    ];
    this.#cells = new StructCells(fields);
    this.#arrow = arrowType({ type: 'struct', fields });
  }

  get length(): number {
    return this.#length;
  }

  get bytes(): number {
    return this.#cells.bytes;
  }

  get used(): number {
    return this.#cells.used;
  }

  append(cell: Cell): void {
    if (cell === null) throw new LakeError('invalid-argument', 'a map has an entry without key and value');
    this.#cells.append(cell);
    this.#length++;
  }

  finish(): Data {
    return this.#cells.finish(this.#arrow, this.#length, new Validity());
  }
}

class ListCells implements CellStore {
  readonly #child: ColumnBuilder | EntryBuilder;
  readonly #offsets: number[] = [0];

  constructor(child: ColumnBuilder | EntryBuilder) {
    this.#child = child;
  }

  get bytes(): number {
    return this.#child.bytes + this.#offsets.length * 8;
  }

  get used(): number {
    return this.#child.used + this.#offsets.length * 8;
  }

  append(cell: Exclude<Cell, null>): void {
    if (!Array.isArray(cell)) throw new LakeError('invalid-argument', 'a value is no list or map');
    for (const item of cell) this.#child.append(item);
    this.#offsets.push(this.#child.length);
  }

  skip(): void {
    this.#offsets.push(this.#child.length);
  }

  copy(): boolean {
    return false;
  }

  finish(type: DataType, length: number, validity: Validity): Data {
    const offsets = Int32Array.from(this.#offsets);
    const buffers = withValidity(validity, { [BufferType.OFFSET]: offsets });
    return new Data(type, 0, length, validity.nulls, buffers, [this.#child.finish()]);
  }
}
