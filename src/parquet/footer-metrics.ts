import { buildMetrics, type ColumnMetrics, type FileMetrics, metricsMode } from '../iceberg/metrics.ts';
import type { Schema } from '../iceberg/schema.ts';
import { decimalParameters, type PrimitiveType, type PrimitiveValue } from '../iceberg/types.ts';
import { compareValues, decodeValue } from '../iceberg/values.ts';
import { schemaLeaves, widenZero } from './column-stats.ts';
import { listOf, numberOf, structOf } from './parquet-assembly.ts';
import type { ThriftStruct } from './thrift-compact.ts';

/** What a manifest entry says of a Parquet file beside its path and partition. */
export interface FooterMetrics extends Required<FileMetrics> {
  readonly recordCount: number;
  /** Where each row group begins, in bytes. */
  readonly splitOffsets: readonly number[];
}

/** Fields of Parquet's FileMetaData, RowGroup, ColumnChunk, ColumnMetaData and Statistics. */
const ROWS = 3;
const ROW_GROUPS = 4;
const COLUMNS = 1;
const META = 3;
const CHUNK = { values: 5, compressedSize: 7, dataPage: 9, dictionaryPage: 11, statistics: 12 } as const;
const STATISTICS = { nulls: 3, max: 5, min: 6 } as const;

/**
 * The metrics of a Parquet file that holds the schema's columns in its order, from the file's footer alone.
 *
 * @param footer Parquet's FileMetaData
 * @param nans NaNs by field id: footers do not count them
 * @param properties table properties, for `write.metadata.metrics.*`
 * @throws LakeError `internal` if the footer is not that of such a file
 */
export function footerMetrics(
  footer: ThriftStruct,
  schema: Pick<Schema, 'fields'>,
  nans: ReadonlyMap<number, number>,
  properties: Readonly<Record<string, string>>,
): FooterMetrics {
  const groups = listOf(footer, ROW_GROUPS).items.map(structOf);
  const leaves = [...schemaLeaves(schema).values()];
  const dropped = new Set<number>();
  const names = new Map(leaves.map((leaf) => [leaf.field.id, leaf.path.join('.')]));
  const columns = leaves.map((leaf, at): ColumnMetrics => {
    if (leaf.repeated) dropped.add(leaf.field.id);
    const chunks = groups.map((group) => chunkOf(group, at));
    const bounds = leaf.repeated ? {} : chunkBounds(leaf.type, chunks);
    const isFloat = leaf.type === 'float' || leaf.type === 'double';
    return {
      fieldId: leaf.field.id,
      type: leaf.type,
      size: sum(chunks, (chunk) => numberOf(chunk, CHUNK.compressedSize)),
      valueCount: sum(chunks, (chunk) => numberOf(chunk, CHUNK.values)),
      nullCount: sum(chunks, (chunk) => numberOf(statisticsOf(chunk), STATISTICS.nulls)),
      ...(isFloat ? { nanCount: nans.get(leaf.field.id) ?? 0 } : {}),
      ...bounds,
    };
  });
  const metrics = buildMetrics(columns, (id) =>
    dropped.has(id) ? { kind: 'none' } : metricsMode(properties, names.get(id) ?? ''),
  );
  return {
    ...metrics,
    recordCount: numberOf(footer, ROWS),
    splitOffsets: groups.map((group) => groupOffset(group)),
  };
}

function chunkOf(group: ThriftStruct, at: number): ThriftStruct {
  return structOf(structOf(listOf(group, COLUMNS).items[at]).get(META)?.value);
}

function statisticsOf(chunk: ThriftStruct): ThriftStruct {
  return structOf(chunk.get(CHUNK.statistics)?.value);
}

function groupOffset(group: ThriftStruct): number {
  const first = chunkOf(group, 0);
  return numberOf(first, CHUNK.dictionaryPage) || numberOf(first, CHUNK.dataPage);
}

/** The lowest and highest value of a column over its chunks; none where a chunk with values does not tell. */
function chunkBounds(
  type: PrimitiveType,
  chunks: readonly ThriftStruct[],
): { lower?: PrimitiveValue; upper?: PrimitiveValue } {
  const lowers: PrimitiveValue[] = [];
  const uppers: PrimitiveValue[] = [];
  for (const chunk of chunks) {
    const stats = statisticsOf(chunk);
    if (numberOf(stats, STATISTICS.nulls) === numberOf(chunk, CHUNK.values)) continue;
    const lower = bound(type, stats.get(STATISTICS.min)?.value, true);
    const upper = bound(type, stats.get(STATISTICS.max)?.value, false);
    // Nothing but NaN in a chunk: it has no bounds and needs none.
    if (lower === undefined || upper === undefined) {
      if (type === 'float' || type === 'double') continue;
      return {};
    }
    lowers.push(lower);
    uppers.push(upper);
  }
  const [first, last] = [lowers[0], uppers[0]];
  if (first === undefined || last === undefined) return {};
  return {
    lower: lowers.reduce((low, value) => (compareValues(type, value, low) < 0 ? value : low), first),
    upper: uppers.reduce((high, value) => (compareValues(type, value, high) > 0 ? value : high), last),
  };
}

function bound(type: PrimitiveType, bytes: unknown, lower: boolean): PrimitiveValue | undefined {
  if (!(bytes instanceof Uint8Array)) return undefined;
  if (decimalParameters(type)) return unscaled(type, bytes);
  return widenZero(type, decodeValue(type, bytes), lower);
}

/** Decimals of up to 18 digits are integers in Parquet, little-endian; others are big-endian bytes. */
function unscaled(type: PrimitiveType, bytes: Uint8Array): bigint {
  const small = (decimalParameters(type)?.precision ?? 38) <= 18;
  const hex = Buffer.from(small ? bytes.toReversed() : bytes).toString('hex');
  return BigInt.asIntN(bytes.length * 8, BigInt(`0x${hex}`));
}

function sum(chunks: readonly ThriftStruct[], of: (chunk: ThriftStruct) => number): number {
  return chunks.reduce((total, chunk) => total + of(chunk), 0);
}
