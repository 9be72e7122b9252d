import { type BoundExpression, type BoundPredicate, holds, isFloating } from './expressions.ts';
import type { DataFile } from './manifest.ts';
import type { FieldSummary, ManifestFile } from './manifest-list.ts';
import { mayHoldValue, type SourceRange, sourceRange } from './partition-ranges.ts';
import type { PartitionSpec } from './partition-spec.ts';
import { fieldsById, type Schema } from './schema.ts';
import { parseTransform, type Transform, transformResultType } from './transforms.ts';
import type { PrimitiveValue, Type, Value } from './types.ts';
import { decodeBound, rangeMayMatch, rangeMustMatch, soundBounds, type ValueRange } from './value-range.ts';

/**
 * Which manifests and files a predicate can leave out, or take as a whole (spec: "Scan Planning"). "May" is false only
 * if no row can match, "must" true only if every row does; what is not known counts against leaving out or taking.
 */

/** False if no file of the manifest can hold a matching row, by its partition summaries. */
export function manifestMayMatch(
  bound: BoundExpression,
  schema: Schema,
  spec: PartitionSpec,
  manifestFile: ManifestFile,
): boolean {
  const summaries = manifestFile.partitions;
  if (summaries?.length !== spec.fields.length) return true;
  return holds(bound, (predicate) =>
    partitionFields(spec, schema, predicate).every(({ transform, type, at }) => {
      const summary = summaries[at];
      return summary === undefined || summaryMayMatch(predicate, transform, type, summary);
    }),
  );
}

/** False if no row of the partition can match. */
export function partitionMayMatch(
  bound: BoundExpression,
  schema: Schema,
  spec: PartitionSpec,
  tuple: readonly Value[],
): boolean {
  return holds(bound, (predicate) =>
    partitionFields(spec, schema, predicate).every(({ transform, type, at }) => {
      const value = tuple[at];
      if (value === undefined) return true;
      return (
        rangeMayMatch(predicate, tupleRange(transform, type, value)) &&
        bucketMayMatch(predicate, transform, type, value, value)
      );
    }),
  );
}

/** True if every row of the partition matches. */
export function partitionMustMatch(
  bound: BoundExpression,
  schema: Schema,
  spec: PartitionSpec,
  tuple: readonly Value[],
): boolean {
  return holds(bound, (predicate) =>
    partitionFields(spec, schema, predicate).some(({ transform, type, at }) => {
      const value = tuple[at];
      return value !== undefined && rangeMustMatch(predicate, tupleRange(transform, type, value));
    }),
  );
}

/** False if no row of the file can match, by its metrics. */
export function fileMayMatch(bound: BoundExpression, schema: Schema, dataFile: DataFile): boolean {
  return holds(bound, (predicate) => rangeMayMatch(predicate, fileRange(predicate, schema, dataFile)));
}

/** True if every row of the file matches, by its metrics. */
export function fileMustMatch(bound: BoundExpression, schema: Schema, dataFile: DataFile): boolean {
  return holds(bound, (predicate) => rangeMustMatch(predicate, fileRange(predicate, schema, dataFile)));
}

function fileRange({ field }: BoundPredicate, schema: Schema, file: DataFile): ValueRange {
  // A file written before the column has none of its metrics; its rows read as the column's default or null.
  if (!fieldsById(schema).has(field.id)) return UNKNOWN_RANGE;
  const values = file.valueCounts?.get(field.id);
  const nulls = file.nullValueCounts?.get(field.id);
  const nans = isFloating(field.type) ? file.nanValueCounts?.get(field.id) : 0;
  const counted = values === undefined || nulls === undefined ? undefined : values - nulls;
  return {
    mayHaveNulls: nulls !== 0,
    mayHaveNans: nans !== 0 && counted !== 0,
    mayHaveValues: counted === undefined || counted - (nans ?? 0) > 0,
    ...soundBounds(
      field.type,
      decodeBound(field.type, file.lowerBounds?.get(field.id)),
      decodeBound(field.type, file.upperBounds?.get(field.id)),
    ),
  };
}

const UNKNOWN_RANGE: ValueRange = { mayHaveNulls: true, mayHaveNans: true, mayHaveValues: true };

interface UsedField {
  readonly transform: Transform;
  /** Of the source column. */
  readonly type: Type;
  readonly at: number;
}

/** The partition fields that tell something of the predicate's column. */
function partitionFields(spec: PartitionSpec, schema: Schema, { field }: BoundPredicate): UsedField[] {
  return spec.fields.flatMap((partitionField, at): UsedField[] => {
    const transform = parseTransform(partitionField.transform);
    const type = fieldsById(schema).get(field.id)?.type;
    const tells =
      partitionField['source-id'] === field.id && transform.kind !== 'void' && transform.kind !== 'unknown';
    return tells && type !== undefined ? [{ transform, type, at }] : [];
  });
}

/** What a partition value tells of its rows' column. */
function tupleRange(transform: Transform, type: Type, value: Value): ValueRange {
  if (value === null) return { mayHaveNulls: true, mayHaveNans: false, mayHaveValues: false };
  if (Number.isNaN(value)) return { mayHaveNulls: false, mayHaveNans: true, mayHaveValues: false };
  const range = sourceRange(transform, type, value) ?? {};
  return {
    mayHaveNulls: false,
    mayHaveNans: false,
    mayHaveValues: true,
    ...soundBounds(type, range.lower, range.upper),
  };
}

function summaryMayMatch(
  predicate: BoundPredicate,
  transform: Transform,
  type: Type,
  summary: FieldSummary,
): boolean {
  const resultType = transformResultType(transform, type);
  const lower = decodeBound(resultType, summary.lowerBound);
  const upper = decodeBound(resultType, summary.upperBound);
  const noValues = summary.lowerBound === undefined && summary.upperBound === undefined;
  const range = {
    mayHaveNulls: summary.containsNull,
    mayHaveNans: isFloating(type) && summary.containsNan !== false,
    mayHaveValues: !noValues,
    ...summaryBounds(transform, type, lower, upper),
  };
  return (
    rangeMayMatch(predicate, range) &&
    bucketMayMatch(predicate, transform, type, lower ?? null, upper ?? null)
  );
}

function summaryBounds(
  transform: Transform,
  type: Type,
  lower: PrimitiveValue | undefined,
  upper: PrimitiveValue | undefined,
): SourceRange {
  const first = lower === undefined ? {} : sourceRange(transform, type, lower);
  const last = upper === undefined ? {} : sourceRange(transform, type, upper);
  if (first === null || last === null) return {};
  return soundBounds(type, first.lower, last.upper);
}

/** False if the value that an equality asks for falls into none of the buckets from `lower` to `upper`. */
function bucketMayMatch(
  predicate: BoundPredicate,
  transform: Transform,
  type: Type,
  lower: Value,
  upper: Value,
): boolean {
  if (transform.kind !== 'bucket' || predicate.kind !== 'eq' || !predicate.exact) return true;
  return mayHoldValue(transform, type, predicate.value, lower, upper);
}
