import type { Data } from 'apache-arrow';
import { LakeError } from '../errors.ts';
import { type PartitionSpec, partitionKey } from '../iceberg/partition-spec.ts';
import type { Schema } from '../iceberg/schema.ts';
import { applyTransform, parseTransform, type Transform } from '../iceberg/transforms.ts';
import type { NestedField, Type, Value } from '../iceberg/types.ts';
import { arrowCell } from './arrow-cell.ts';
import type { Cell, Cells } from './cell.ts';

/** Rows of a batch that belong to one partition. */
export interface PartitionRows {
  readonly key: string;
  readonly tuple: readonly Value[];
  /** Indexes into the batch, rising. */
  readonly rows: Int32Array;
}

interface PartitionSource {
  readonly transform: Transform;
  readonly type: Type;
  /** Of the top-level column, then of struct fields below it. */
  readonly path: readonly number[];
}

/** So many transformed values are remembered a field: partitions repeat. */
const MEMO = 20_000;

/** Finds the partition of rows: one tuple for each, by the spec's transforms (spec: "Partition Transforms"). */
export class PartitionRouter {
  readonly #fields: readonly NestedField[];
  readonly #sources: readonly PartitionSource[];
  readonly #memos: Map<Value, Value>[];

  /** Errors: `unsupported` for transforms that this version does not know. */
  constructor(schema: Schema, spec: PartitionSpec) {
    this.#fields = schema.fields;
    this.#sources = spec.fields.map((field) => {
      const transform = parseTransform(field.transform);
      if (transform.kind === 'void') return { transform, type: 'int', path: [] };
      const found = pathTo(schema.fields, field['source-id']);
      if (found === null)
        throw new LakeError(
          'invalid-argument',
          `The source column of the partition field ${field.name} is not in the schema`,
        );
      return { transform, ...found };
    });
    this.#memos = this.#sources.map(() => new Map());
  }

  get partitioned(): boolean {
    return this.#sources.length > 0;
  }

  /** The partitions of rows, in the order in which they first appear. */
  route(rows: readonly Cells[]): PartitionRows[] {
    const columns = this.#sources.map((source, i) =>
      rows.map((row) => this.#transformed(i, source, followCell(row, source.path))),
    );
    return group(columns, rows.length);
  }

  /** The partitions of an Arrow batch: `columns` are the schema's, in its order; null for one that is not there. */
  routeBatch(columns: readonly (Data | null)[], length: number): PartitionRows[] {
    const values = this.#sources.map((source, i) => {
      const [top = -1, ...below] = source.path;
      const data = columns[top] ?? null;
      const field = this.#fields[top];
      if (data === null || field === undefined) return new Array<Value>(length).fill(null);
      const days = below.length === 0 ? dayNumbers(source, data) : null;
      if (days !== null) return days;
      return Array.from({ length }, (_, row) =>
        this.#transformed(i, source, followCell([arrowCell(field.type, data, row)], [0, ...below])),
      );
    });
    return group(values, length);
  }

  #transformed(at: number, source: PartitionSource, cell: Cell): Value {
    if (cell === null || source.transform.kind === 'void') return null;
    if (Array.isArray(cell)) throw new LakeError('internal', 'a partition source is no primitive');
    const value = cell as Value;
    // Bytes are no key of a map, -0 and 0 are one: such values are transformed each time.
    const keyed = typeof value === 'string' || typeof value === 'bigint';
    const memo = this.#memos[at]!;
    const known = keyed ? memo.get(value) : undefined;
    if (known !== undefined) return known;
    const result = applyTransform(source.transform, source.type, value);
    if (keyed) {
      if (memo.size >= MEMO) memo.clear();
      memo.set(value, result);
    }
    return result;
  }
}

function pathTo(fields: readonly NestedField[], id: number): { path: number[]; type: Type } | null {
  for (const [i, field] of fields.entries()) {
    if (field.id === id) return { path: [i], type: field.type };
    if (typeof field.type === 'string' || field.type.type !== 'struct') continue;
    const below = pathTo(field.type.fields, id);
    if (below) return { path: [i, ...below.path], type: below.type };
  }
  return null;
}

function followCell(row: Cells, path: readonly number[]): Cell {
  let cell: Cell = row;
  for (const at of path) {
    if (!Array.isArray(cell)) return null;
    cell = cell[at] ?? null;
  }
  return cell;
}

const MICROS_PER_DAY = 86_400_000_000;

/** Days of timestamps without a bigint a row; null where it must go value by value. */
function dayNumbers(source: PartitionSource, data: Data): Value[] | null {
  if (source.transform.kind !== 'day' || !String(data.type).startsWith('Timestamp<MICROSECOND')) return null;
  const values: unknown = data.values;
  if (!(values instanceof BigInt64Array)) return null;
  const words = new Int32Array(values.buffer, values.byteOffset, values.length * 2);
  const days = new Array<Value>(data.length);
  for (let row = 0; row < data.length; row++) {
    const high = words[row * 2 + 1]!;
    // Within 2^52 microseconds of 1970 (142 years) a double is exact.
    if (high >= 0x100000 || high < -0x100000) return null;
    const micros = high * 4_294_967_296 + (words[row * 2]! >>> 0);
    const rest = micros % MICROS_PER_DAY;
    days[row] = (micros - rest) / MICROS_PER_DAY - (rest < 0 ? 1 : 0);
  }
  if (data.nullCount > 0)
    for (let row = 0; row < data.length; row++) if (!data.getValid(row)) days[row] = null;
  return days;
}

interface Group {
  readonly key: string;
  readonly tuple: readonly Value[];
  readonly at: number;
  count: number;
}

/** Sorts row numbers into their groups by counting: no list grows. */
function group(columns: readonly (readonly Value[])[], length: number): PartitionRows[] {
  const groups: Group[] = [];
  const groupOfRow = new Int32Array(length);
  const find = groupFinder(columns, groups);
  for (let row = 0; row < length; row++) {
    const found = find(row);
    found.count++;
    groupOfRow[row] = found.at;
  }
  const lists = groups.map(({ count }) => new Int32Array(count));
  const filled = new Int32Array(groups.length);
  for (let row = 0; row < length; row++) {
    const at = groupOfRow[row]!;
    lists[at]![filled[at]!++] = row;
  }
  return groups.map(({ key, tuple, at }) => ({ key, tuple, rows: lists[at]! }));
}

/** Finds the group of a row; one that is not there yet is added to `groups`. */
function groupFinder(columns: readonly (readonly Value[])[], groups: Group[]): (row: number) => Group {
  const known = new Map<Value | string, Group>();
  const single = columns.length === 1 ? columns[0]! : null;
  let last: Group | null = null;
  let lastValue: Value | undefined;
  return (row) => {
    // Runs of one day, text or bucket are found without a look-up.
    if (single !== null && last !== null && Object.is(single[row], lastValue)) return last;
    const tuple = columns.map((column) => column[row] ?? null);
    const value = tuple[0] ?? null;
    const isSimple = single !== null && typeof value === 'number' && Number.isInteger(value) && value !== 0;
    const key = isSimple ? value : partitionKey(tuple);
    let found = known.get(key);
    if (!found) {
      found = { key: partitionKey(tuple), tuple, at: groups.length, count: 0 };
      groups.push(found);
      known.set(key, found);
    }
    last = found;
    lastValue = value;
    return found;
  };
}
