import { LakeError } from '../errors.ts';
import type { TableMetadata } from '../iceberg/table-metadata.ts';
import type { SnapshotRule } from '../policy/policy-set.ts';

/** How long a table keeps its snapshots and refs, where a ref does not say otherwise. */
export interface SnapshotRules {
  /** Of each branch at least so many of its newest snapshots stay. */
  readonly minToKeep: number;
  /** Snapshots up to this age stay, ms. */
  readonly maxAgeMs: number;
  /** Branches and tags whose snapshot is older go, ms; Infinity keeps all. `main` always stays. */
  readonly maxRefAgeMs: number;
}

const DAY_MS = 86_400_000;

/**
 * The rules of a table: what its policy says, else its properties, else the spec's defaults (spec: "Table behavior
 * properties"), each on its own. Pure.
 *
 * @throws LakeError `invalid-argument` where a property that counts is no positive integer
 */
export function snapshotRules(metadata: TableMetadata, policy: SnapshotRule = {}): SnapshotRules {
  const property = (name: string, fallback: number) =>
    propertyOf(metadata, `history.expire.${name}`, fallback);
  return {
    minToKeep: policy.minToKeep ?? property('min-snapshots-to-keep', 1),
    maxAgeMs: policy.maxAgeMs ?? property('max-snapshot-age-ms', 5 * DAY_MS),
    maxRefAgeMs: policy.maxRefAgeMs ?? property('max-ref-age-ms', Number.POSITIVE_INFINITY),
  };
}

function propertyOf({ properties, location }: TableMetadata, property: string, fallback: number): number {
  const text = Object.hasOwn(properties, property) ? properties[property] : undefined;
  if (text === undefined) return fallback;
  // Java's Long.MAX_VALUE, "never", is beyond what a double counts exactly: that is fine.
  const value = Number(text);
  if (/^\d+$/.test(text.trim()) && value > 0) return value;
  throw new LakeError('invalid-argument', `the table property ${property} is "${text}"`, {
    where: location,
    hint: 'it must be a positive integer; nothing was expired',
  });
}
