import type { BoundExpression } from './expressions.ts';
import type { RestFilter, RestPredicate } from './filter-json.ts';
import type { DataFile } from './manifest.ts';
import type { ManifestFile } from './manifest-file.ts';
import type { PartitionSpec } from './partition-spec.ts';
import {
  fileMayMatch,
  fileMustMatch,
  manifestMayMatch,
  partitionMayMatch,
  partitionMustMatch,
} from './pruning.ts';
import type { Schema } from './schema.ts';

/**
 * What a filter of the REST protocol leaves of manifests and files (spec: "Scan Planning"). Where Iceberg's own libraries and SQL differ on
 * nulls, a file stays if either reading finds a row in it.
 */

/** False if no file of the manifest can hold a matching row. */
export function filterKeepsManifest(
  filter: RestFilter,
  schema: Schema,
  spec: PartitionSpec,
  manifest: ManifestFile,
): boolean {
  return mayHold(filter, (bound) => manifestMayMatch(bound, schema, spec, manifest));
}

/** False if no row of the file can match. */
export function filterKeepsFile(
  filter: RestFilter,
  schema: Schema,
  spec: PartitionSpec,
  file: DataFile,
): boolean {
  return mayHold(filter, fileTest(schema, spec, file));
}

/**
 * What is left to test for the rows of a file (REST spec: `FileScanTask.residual-filter`): predicates that every row meets, or none, are
 * gone. `true` if nothing is left.
 */
export function residualFilter(
  filter: RestFilter,
  schema: Schema,
  spec: PartitionSpec,
  file: DataFile,
): unknown {
  const may = fileTest(schema, spec, file);
  const must = (bound: BoundExpression): boolean =>
    partitionMustMatch(bound, schema, spec, file.partition) || fileMustMatch(bound, schema, file);
  return residual(filter, (predicate) => {
    if (predicate.bound !== null && must(predicate.bound)) return true;
    return predicateMayHold(predicate, may) ? predicate.json : false;
  });
}

type Test = (bound: BoundExpression) => boolean;

function fileTest(schema: Schema, spec: PartitionSpec, file: DataFile): Test {
  return (bound) =>
    partitionMayMatch(bound, schema, spec, file.partition) && fileMayMatch(bound, schema, file);
}

function mayHold(filter: RestFilter, test: Test): boolean {
  switch (filter.kind) {
    case 'true':
      return true;
    case 'false':
      return false;
    case 'and':
      return filter.children.every((child) => mayHold(child, test));
    case 'or':
      return filter.children.some((child) => mayHold(child, test));
    case 'predicate':
      return predicateMayHold(filter, test);
  }
}

function predicateMayHold({ bound, nullsMatch }: RestPredicate, test: Test): boolean {
  if (bound === null || test(bound)) return true;
  return nullsMatch !== null && test({ kind: 'isNull', field: nullsMatch });
}

function residual(filter: RestFilter, of: (predicate: RestPredicate) => unknown): unknown {
  switch (filter.kind) {
    case 'true':
    case 'false':
      return filter.kind === 'true';
    case 'predicate':
      return of(filter);
    case 'and':
    case 'or':
      return combined(
        filter.kind,
        filter.children.map((child) => residual(child, of)),
      );
  }
}

function combined(type: 'and' | 'or', children: readonly unknown[]): unknown {
  const decides = type === 'or';
  if (children.includes(decides)) return decides;
  const open = children.filter((child) => typeof child !== 'boolean');
  if (open.length === 0) return !decides;
  return open.reduce((left, right) => ({ type, left, right }));
}
