import { LakeError } from '../errors.ts';
import type { DataFile } from '../iceberg/manifest.ts';
import { isPrimitive, type NestedField } from '../iceberg/types.ts';
import { listOf, numberOf, structOf } from '../parquet/parquet-assembly.ts';
import { readThrift, THRIFT, type ThriftStruct, writeThrift } from '../parquet/thrift-compact.ts';
import { type LeafColumn, rowGroupMetrics } from './row-group-metrics.ts';

/** What is wanted of a Parquet file. */
export interface PartWish {
  /** Field ids of the top-level columns that are read. */
  readonly columns: ReadonlySet<number>;
  /** Tells by a row group's metrics whether a row of it can matter; absent where all row groups must stay (positions in the file count). */
  readonly rowGroups?: {
    /** The columns that `mayMatter` asks for. */
    readonly fields: readonly NestedField[];
    readonly mayMatter: (metrics: Pick<DataFile, 'valueCounts' | 'nullValueCounts'>) => boolean;
  };
}

/** Bytes [start, end) of a file. */
interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** A small Parquet file made of some row groups and columns of another one: its magic, the ranges one after the other, then its end. */
export interface ParquetPart {
  readonly ranges: readonly ByteRange[];
  /** The footer with its length and the magic. */
  readonly end: Uint8Array;
  /** Bytes of the whole. */
  readonly size: number;
  /** Which row groups and columns these are; the same for no other choice of the same file. */
  readonly choice: string;
}

export const MAGIC = Buffer.from('PAR1', 'latin1');
const TAIL = 8;
/** Chunks that lie nearer to each other than this are fetched by one request. */
const GAP = 64 * 1024;

/** Where things stand in Parquet's footer (parquet.thrift). */
const FILE = { schema: 2, rows: 3, rowGroups: 4, columnOrders: 7, encryption: 8 } as const;
const ELEMENT = { children: 5, fieldId: 9 } as const;
const GROUP = { columns: 1, rows: 3, sorting: 4, fileOffset: 5, compressedSize: 6, ordinal: 7 } as const;
const CHUNK = { filePath: 1, fileOffset: 2, metadata: 3, encrypted: 8 } as const;
/** What lies elsewhere in the file: offset index, column index, both with lengths. */
const PAGE_INDEXES = [4, 5, 6, 7];
const META = { compressedSize: 7, dataPage: 9, indexPage: 10, dictionaryPage: 11 } as const;
const BLOOM_FILTER = [14, 15];

/** The bytes of a footer in a file's last bytes, or how many last bytes hold it; null for what is no plain Parquet file. */
export function footerIn(tail: Uint8Array): Uint8Array | number | null {
  if (tail.length < TAIL + MAGIC.length || !MAGIC.equals(tail.subarray(tail.length - MAGIC.length)))
    return null;
  const length = new DataView(tail.buffer, tail.byteOffset).getUint32(tail.length - TAIL, true) + TAIL;
  return length > tail.length ? length : tail.subarray(tail.length - length, tail.length - TAIL);
}

/**
 * Chooses what to fetch of a Parquet file. Chunks are copied byte for byte, and the footer says where they are then; whatever is odd about the file, it is left whole.
 *
 * @param footer Parquet's FileMetaData
 * @returns null where the whole file must be, or may as well be, fetched
 */
export function choosePart(footer: Uint8Array, fileSize: number, wish: PartWish): ParquetPart | null {
  try {
    return partOf(readThrift(footer), fileSize - TAIL - footer.length, wish);
  } catch (error) {
    // The engine says what is wrong with the file.
    if (error instanceof RangeError || error instanceof LakeError) return null;
    throw error;
  }
}

/** A top-level column: its schema elements, and which leaves of a row group belong to it. */
interface FileColumn {
  readonly id: number | undefined;
  readonly elements: readonly ThriftStruct[];
  readonly leaves: readonly number[];
}

function partOf(footer: ThriftStruct, footerStart: number, wish: PartWish): ParquetPart | null {
  if (footer.has(FILE.encryption)) return null;
  const [root, ...elements] = listOf(footer, FILE.schema).items.map(structOf);
  if (root === undefined) return null;
  const columns = topLevel(elements, numberOf(root, ELEMENT.children));
  const kept = keptColumns(columns, wish.columns);
  const leaves = columns.reduce((sum, column) => sum + column.leaves.length, 0);
  const groups = listOf(footer, FILE.rowGroups).items.map(structOf);
  if (groups.some((group) => !isPlain(group, leaves))) return null;
  const fields = testedColumns(columns, wish);
  const places = [...groups.keys()].filter(
    (at) => wish.rowGroups?.mayMatter(metricsOf(groups[at]!, fields)) ?? true,
  );
  const chosen = places.map((at) => groups[at]!);
  const keptLeaves = kept.flatMap((column) => column.leaves);
  const chunks = chosen.flatMap((group) => keptLeaves.map((leaf) => chunkRange(chunkAt(group, leaf))));
  const next = nextChunks(groups);
  const ranges = merged(
    chunks.map((chunk) => padded(chunk, next.get(chunk.start) ?? footerStart, footerStart)),
  );
  const choice = `${places.join(',')} ${keptLeaves.join(',')}`;
  const end = partEnd(footer, { root, kept, groups: chosen, ranges });
  const size =
    MAGIC.length + end.length + ranges.reduce((sum, { start, end: stop }) => sum + stop - start, 0);
  return { ranges, end, size, choice };
}

function topLevel(elements: readonly ThriftStruct[], count: number): FileColumn[] {
  let at = 0;
  let leaf = 0;
  const below = (): { elements: ThriftStruct[]; leaves: number[] } => {
    const element = structOf(elements[at++]);
    const children = numberOf(element, ELEMENT.children);
    if (children === 0) return { elements: [element], leaves: [leaf++] };
    const parts = Array.from({ length: children }, below);
    return {
      elements: [element, ...parts.flatMap((part) => part.elements)],
      leaves: parts.flatMap((part) => part.leaves),
    };
  };
  return Array.from({ length: count }, () => {
    const column = below();
    const id = column.elements[0]!.has(ELEMENT.fieldId)
      ? numberOf(column.elements[0]!, ELEMENT.fieldId)
      : undefined;
    return { ...column, id };
  });
}

/** Without ids of all columns the names of all decide which is which. A file has one column at least, the same in all files of a schema. */
function keptColumns(columns: readonly FileColumn[], wanted: ReadonlySet<number>): readonly FileColumn[] {
  if (columns.some((column) => column.id === undefined)) return columns;
  const kept = columns.filter((column) => column.id !== undefined && wanted.has(column.id));
  if (kept.length > 0) return kept;
  const narrow = columns.find((column) => column.leaves.length === 1);
  return narrow === undefined ? columns : [narrow];
}

/** False for what this does not know to move: encrypted chunks, and such as lie in other files. */
function isPlain(group: ThriftStruct, leaves: number): boolean {
  const chunks = listOf(group, GROUP.columns).items.map(structOf);
  return (
    chunks.length === leaves &&
    chunks.every(
      (chunk) =>
        !chunk.has(CHUNK.filePath) &&
        !chunk.has(CHUNK.encrypted) &&
        chunk.get(CHUNK.metadata)?.value instanceof Map,
    )
  );
}

const chunkAt = (group: ThriftStruct, leaf: number): ThriftStruct =>
  structOf(structOf(listOf(group, GROUP.columns).items[leaf]).get(CHUNK.metadata)?.value);

/** Top-level primitives of the file that `mayMatter` asks for. */
function testedColumns(
  columns: readonly FileColumn[],
  { rowGroups }: PartWish,
): readonly (LeafColumn & { readonly leaf: number })[] {
  if (columns.some((column) => column.id === undefined)) return [];
  return (rowGroups?.fields ?? []).flatMap((field) => {
    const own = columns.filter((column) => column.id === field.id);
    const [only] = own;
    if (own.length !== 1 || only?.elements.length !== 1 || !isPrimitive(field.type)) return [];
    return [{ field, element: only.elements[0]!, leaf: only.leaves[0]! }];
  });
}

const metricsOf = (group: ThriftStruct, columns: readonly (LeafColumn & { readonly leaf: number })[]) =>
  rowGroupMetrics(columns.map((column) => ({ ...column, chunk: chunkAt(group, column.leaf) })));

function chunkRange(metadata: ThriftStruct): ByteRange {
  const dictionary = numberOf(metadata, META.dictionaryPage);
  const data = numberOf(metadata, META.dataPage);
  const start = dictionary > 0 ? Math.min(dictionary, data) : data;
  return { start, end: start + numberOf(metadata, META.compressedSize) };
}

/** Where the next chunk begins, by where a chunk begins. */
function nextChunks(groups: readonly ThriftStruct[]): ReadonlyMap<number, number> {
  const starts = new Set<number>();
  for (const group of groups) {
    const { items } = listOf(group, GROUP.columns);
    for (let leaf = 0; leaf < items.length; leaf++) starts.add(chunkRange(chunkAt(group, leaf)).start);
  }
  const sorted = Float64Array.from(starts).sort();
  return new Map([...sorted.subarray(1)].map((start, i) => [sorted[i]!, start]));
}

/** Some writers counted a chunk too short: what lies between it and the next one comes along. */
function padded({ start, end }: ByteRange, next: number, footerStart: number): ByteRange {
  const stop = Math.max(end, Math.min(next, end + GAP));
  if (start < MAGIC.length || stop > footerStart) throw new RangeError('a chunk is not inside its file');
  return { start, end: stop };
}

function merged(ranges: readonly ByteRange[]): ByteRange[] {
  const all: { start: number; end: number }[] = [];
  for (const { start, end } of ranges.toSorted((a, b) => a.start - b.start)) {
    const last = all.at(-1);
    if (last && start <= last.end + GAP) last.end = Math.max(last.end, end);
    else all.push({ start, end });
  }
  return all;
}

interface Kept {
  readonly root: ThriftStruct;
  readonly kept: readonly FileColumn[];
  readonly groups: readonly ThriftStruct[];
  readonly ranges: readonly ByteRange[];
}

function partEnd(footer: ThriftStruct, { root, kept, groups, ranges }: Kept): Uint8Array {
  const part: ThriftStruct = new Map(footer);
  const leaves = kept.flatMap((column) => column.leaves);
  const newRoot: ThriftStruct = new Map(root);
  newRoot.set(ELEMENT.children, { type: THRIFT.i32, value: kept.length });
  part.set(FILE.schema, {
    type: THRIFT.list,
    value: { type: THRIFT.struct, items: [newRoot, ...kept.flatMap((column) => column.elements)] },
  });
  const rows = groups.reduce((sum, group) => sum + numberOf(group, GROUP.rows), 0);
  part.set(FILE.rows, { type: THRIFT.i64, value: rows });
  const moved = groups.map((group, at) => movedGroup(group, at, leaves, ranges));
  part.set(FILE.rowGroups, { type: THRIFT.list, value: { type: THRIFT.struct, items: moved } });
  if (footer.has(FILE.columnOrders)) {
    const { type, items } = listOf(footer, FILE.columnOrders);
    const orders = leaves.flatMap((leaf) => (items[leaf] === undefined ? [] : [items[leaf]]));
    part.set(FILE.columnOrders, { type: THRIFT.list, value: { type, items: orders } });
  }
  const bytes = writeThrift(part);
  const tail = Buffer.alloc(TAIL);
  tail.writeUInt32LE(bytes.length, 0);
  MAGIC.copy(tail, TAIL - MAGIC.length);
  return Buffer.concat([bytes, tail]);
}

function movedGroup(
  group: ThriftStruct,
  ordinal: number,
  leaves: readonly number[],
  ranges: readonly ByteRange[],
): ThriftStruct {
  const own: ThriftStruct = new Map(group);
  const chunks = listOf(group, GROUP.columns);
  const items = leaves.map((leaf) => movedChunk(structOf(chunks.items[leaf]), ranges));
  own.set(GROUP.columns, { type: THRIFT.list, value: { type: chunks.type, items } });
  if (group.has(GROUP.compressedSize)) {
    const size = leaves.reduce((sum, leaf) => sum + numberOf(chunkAt(group, leaf), META.compressedSize), 0);
    own.set(GROUP.compressedSize, { type: THRIFT.i64, value: size });
  }
  // They name columns and offsets of the whole file.
  own.delete(GROUP.sorting);
  own.delete(GROUP.fileOffset);
  if (group.has(GROUP.ordinal)) own.set(GROUP.ordinal, { type: THRIFT.i16, value: ordinal });
  return own;
}

function movedChunk(chunk: ThriftStruct, ranges: readonly ByteRange[]): ThriftStruct {
  const metadata: ThriftStruct = new Map(structOf(chunk.get(CHUNK.metadata)?.value));
  const shift = newPlace(chunkRange(metadata).start, ranges);
  for (const field of [META.dataPage, META.indexPage, META.dictionaryPage]) {
    const offset = numberOf(metadata, field);
    if (offset > 0) metadata.set(field, { type: THRIFT.i64, value: offset + shift });
  }
  for (const field of BLOOM_FILTER) metadata.delete(field);
  const own: ThriftStruct = new Map(chunk);
  own.set(CHUNK.fileOffset, { type: THRIFT.i64, value: 0 });
  own.set(CHUNK.metadata, { type: THRIFT.struct, value: metadata });
  for (const field of PAGE_INDEXES) own.delete(field);
  return own;
}

/** By how many bytes what begins at `offset` is moved. */
function newPlace(offset: number, ranges: readonly ByteRange[]): number {
  let at = MAGIC.length;
  for (const { start, end } of ranges) {
    if (offset >= start && offset < end) return at - start;
    at += end - start;
  }
  throw new RangeError('a chunk is in none of the ranges');
}
