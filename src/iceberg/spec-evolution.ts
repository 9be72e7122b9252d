import { LakeError } from '../errors.ts';
import { nearestName } from './nearest-name.ts';
import {
  buildPartitionSpec,
  type PartitionField,
  type PartitionFieldRequest,
  type PartitionSpec,
  validateSpec,
} from './partition-spec.ts';
import type { Schema } from './schema.ts';
import { defaultSpec, type TableMetadata } from './table-metadata.ts';

export interface SpecChange {
  readonly add: readonly PartitionFieldRequest[];
  /** Names of partition fields. */
  readonly drop: readonly string[];
}

/**
 * The table's partition spec with fields dropped and added (spec: "Partition Evolution"). A field that an earlier spec had gets its id again; in v1,
 * where fields are told by position, a dropped one stays as `void`.
 *
 * @throws LakeError('not-found') for unknown fields and columns with the nearest name, LakeError('invalid-argument') as `validateSpec`.
 */
export function evolveSpec(metadata: TableMetadata, schema: Schema, change: SpecChange): PartitionSpec {
  const base = defaultSpec(metadata);
  const dropped = new Set(change.drop.map((name) => fieldNamed(base, name)['field-id']));
  const isV1 = metadata['format-version'] === 1;
  const kept = base.fields.flatMap((field): PartitionField[] => {
    if (!dropped.has(field['field-id'])) return [field];
    return isV1 ? [{ ...field, transform: 'void' }] : [];
  });
  const earlier = isV1 ? [] : metadata['partition-specs'].flatMap((spec) => spec.fields);
  let last = metadata['last-partition-id'];
  const added = buildPartitionSpec(schema, change.add).fields.map((field) => {
    const same = earlier.find(
      (other) => other['source-id'] === field['source-id'] && other.transform === field.transform,
    );
    return { ...field, 'field-id': same?.['field-id'] ?? ++last };
  });
  const spec = { 'spec-id': base['spec-id'], fields: [...kept, ...added] };
  validateSpec(spec, schema);
  return spec;
}

function fieldNamed(spec: PartitionSpec, name: string): PartitionField {
  const found = spec.fields.find((field) => field.name === name);
  if (found) return found;
  const names = spec.fields.map((field) => field.name);
  const near = nearestName(name, names);
  throw new LakeError('not-found', `The table has no partition field "${name}"`, {
    hint: near === null ? `Its fields are ${names.join(', ') || 'none'}.` : `Did you mean ${near}?`,
  });
}
