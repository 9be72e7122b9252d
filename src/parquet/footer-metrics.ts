import { deserializeTCompactProtocol } from 'hyparquet/src/thrift.js';
import { LakeError } from '../errors.ts';
import { buildMetrics, type ColumnMetrics, type FileMetrics, metricsMode } from '../iceberg/metrics.ts';
import type { Schema } from '../iceberg/schema.ts';
import { decimalParameters, type PrimitiveType, type PrimitiveValue } from '../iceberg/types.ts';
import { compareValues, decodeValue } from '../iceberg/values.ts';
import { schemaLeaves } from './column-stats.ts';

/** What a manifest entry says of a Parquet file beside its path and partition. */
export interface FooterMetrics extends Required<FileMetrics> {
  readonly recordCount: number;
  /** Where each row group begins, in bytes. */
  readonly splitOffsets: readonly number[];
}

/**
 * The metrics of a Parquet file that holds the schema's columns in its order, from the file's footer alone.
 *
 * @param nans NaNs by field id: footers do not count them
 * @param properties table properties, for `write.metadata.metrics.*`
 * @throws LakeError `internal` if the footer is not that of such a file
 */
export function footerMetrics(
  bytes: Uint8Array,
  schema: Pick<Schema, 'fields'>,
  nans: ReadonlyMap<number, number>,
  properties: Readonly<Record<string, string>>,
): FooterMetrics {
  const footer = readFooter(bytes);
  const groups = list(footer['field_4']);
  const leaves = [...schemaLeaves(schema).values()];
  const dropped = new Set<number>();
  const names = new Map(leaves.map((leaf) => [leaf.field.id, leaf.path.join('.')]));
  const columns = leaves.map((leaf, at): ColumnMetrics => {
    if (leaf.repeated) dropped.add(leaf.field.id);
    const chunks = groups.map((group) => struct(struct(list(group['field_1'])[at])['field_3']));
    const bounds = leaf.repeated ? {} : chunkBounds(leaf.type, chunks);
    const isFloat = leaf.type === 'float' || leaf.type === 'double';
    return {
      fieldId: leaf.field.id,
      type: leaf.type,
      size: sum(chunks, (chunk) => integer(chunk['field_7'])),
      valueCount: sum(chunks, (chunk) => integer(chunk['field_5'])),
      nullCount: sum(chunks, (chunk) => integer(struct(chunk['field_12'])['field_3'])),
      ...(isFloat ? { nanCount: nans.get(leaf.field.id) ?? 0 } : {}),
      ...bounds,
    };
  });
  const metrics = buildMetrics(columns, (id) =>
    dropped.has(id) ? { kind: 'none' } : metricsMode(properties, names.get(id) ?? ''),
  );
  return {
    ...metrics,
    recordCount: integer(footer['field_3']),
    splitOffsets: groups.map((group) => groupOffset(group)),
  };
}

type Thrift = Readonly<Record<string, unknown>>;

function readFooter(bytes: Uint8Array): Thrift {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const length = view.getUint32(bytes.length - 8, true);
  const start = bytes.length - 8 - length;
  if (start < 4) throw unexpected();
  return deserializeTCompactProtocol({
    view: new DataView(bytes.buffer, bytes.byteOffset + start, length),
    offset: 0,
  });
}

function groupOffset(group: Thrift): number {
  const first = struct(struct(list(group['field_1'])[0])['field_3']);
  return integer(first['field_11'] ?? first['field_9']);
}

/** The lowest and highest value of a column over its chunks; none where a chunk with values does not tell. */
function chunkBounds(
  type: PrimitiveType,
  chunks: readonly Thrift[],
): { lower?: PrimitiveValue; upper?: PrimitiveValue } {
  const lowers: PrimitiveValue[] = [];
  const uppers: PrimitiveValue[] = [];
  for (const chunk of chunks) {
    const stats = struct(chunk['field_12']);
    if (integer(stats['field_3']) === integer(chunk['field_5'])) continue;
    const [lower, upper] = [bound(type, stats['field_6'], true), bound(type, stats['field_5'], false)];
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
  const value = decodeValue(type, bytes);
  // Statistics cannot tell -0 from 0, but Iceberg's order does: widen to hold both.
  return value === 0 && (type === 'float' || type === 'double') ? (lower ? -0 : 0) : value;
}

/** Decimals of up to 18 digits are integers in Parquet, little-endian; others are big-endian bytes. */
function unscaled(type: PrimitiveType, bytes: Uint8Array): bigint {
  const small = (decimalParameters(type)?.precision ?? 38) <= 18;
  const hex = Buffer.from(small ? bytes.toReversed() : bytes).toString('hex');
  return BigInt.asIntN(bytes.length * 8, BigInt(`0x${hex}`));
}

function sum(chunks: readonly Thrift[], of: (chunk: Thrift) => number): number {
  return chunks.reduce((total, chunk) => total + of(chunk), 0);
}

function struct(value: unknown): Thrift {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Thrift;
  throw unexpected();
}

function list(value: unknown): readonly Thrift[] {
  if (Array.isArray(value)) return value.map(struct);
  throw unexpected();
}

function integer(value: unknown): number {
  return typeof value === 'number' || typeof value === 'bigint' ? Number(value) : 0;
}

function unexpected(): LakeError {
  return new LakeError('internal', 'The Parquet file that was just written has no footer as expected', {
    hint: 'Nothing was committed.',
  });
}
