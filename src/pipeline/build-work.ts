import type { TableIdentifier } from '../catalog-client/catalog.ts';
import type { TrinoEngine } from '../engine/trino.ts';
import { LakeError } from '../errors.ts';
import { currentSchema, defaultSpec } from '../iceberg/table-metadata.ts';
import type { Table } from '../table/table.ts';
import { rangeFilter } from './backfill-range.ts';
import { headOf, type RememberedSnapshot } from './lineage.ts';
import type { Model } from './model.ts';
import { type ModelState, mainSnapshotId, STATE_PROPERTY, stateOf } from './model-state.ts';
import type { RunContext, StagedModel } from './run-context.ts';

/** What Trino made of a model's SQL. */
export interface TrinoResult {
  readonly trino: TrinoEngine;
  /** The staging table that holds it. */
  readonly staging: TableIdentifier;
}

/** What the steps of building one model share. */
export interface Work {
  readonly context: RunContext;
  readonly model: Model;
  /** The SQL of what the model's table is to hold; of `upsert`, what is to go into it. */
  readonly sql: string;
  readonly table: Table;
  readonly state: ModelState | null;
  readonly versions: Readonly<Record<string, string>>;
  /** The SQL depends on time or chance: its result on the old inputs is not what the table holds. */
  readonly volatile: boolean;
  /** Where Trino has run the model's SQL: `sql` reads what it wrote, and Trino writes what goes into the model's table. */
  readonly trino: TrinoResult | null;
}

/** No model has this fingerprint: a model without inputs must not take the state for its own either. */
const NO_MODEL = '';

/** What a build left on the run's branch. */
export interface StagedChanges {
  /** Rows and data files that were written. */
  readonly rows: number;
  readonly files: number;
  readonly partitions: number;
  readonly staged: StagedModel;
}

/** Only the partitions of a range are to be built, and built in any case. */
export function isBackfill(context: RunContext, { metadata }: Table): boolean {
  return rangeFilter(context.range, defaultSpec(metadata), currentSchema(metadata)) !== '';
}

/**
 * The properties that go with a publication.
 *
 * @param wrote rows were written. A backfill that wrote leaves a table that is the result of no inputs, old or new, so that
 *   the next run has to compare it with its own rows; one that wrote nothing leaves what is remembered.
 */
export function remembered(
  work: Work,
  published: RememberedSnapshot | null,
  wrote: boolean,
): Record<string, string> {
  const { context, model, table, versions } = work;
  if (isBackfill(context, table)) {
    return wrote ? { [STATE_PROPERTY]: stateOf({ model: NO_MODEL, inputs: {}, published }) } : {};
  }
  return { [STATE_PROPERTY]: stateOf({ model: model.fingerprint, inputs: versions, published }) };
}

/** The result is what the table holds: only what it was made of is to be remembered. */
export function nothingChanged(work: Work): StagedChanges {
  const { table } = work;
  const properties = remembered(work, headOf(table.metadata), false);
  const staged = { table, base: mainSnapshotId(table.metadata), head: null, properties };
  return { rows: 0, files: 0, partitions: 0, staged };
}

/** Nothing was published, since main is no longer what the result was compared with. */
export function otherWriter(model: Model): LakeError {
  return new LakeError('conflict', `${model.id} was changed by another writer during the run`, {
    where: model.id,
    hint: 'nothing of silver and gold was published; run it again',
  });
}
