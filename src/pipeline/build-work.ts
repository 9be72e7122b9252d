import { LakeError } from '../errors.ts';
import { currentSchema, defaultSpec } from '../iceberg/table-metadata.ts';
import type { AddedFile } from '../table/snapshot-files.ts';
import type { Table } from '../table/table.ts';
import { rangeFilter } from './backfill-range.ts';
import type { RememberedSnapshot } from './lineage.ts';
import type { Model } from './model.ts';
import { type ModelState, STATE_PROPERTY, stateOf } from './model-state.ts';
import type { RunContext, StagedModel } from './run-context.ts';

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
}

/** No model has this fingerprint: a model without inputs must not take the state for its own either. */
const NO_MODEL = '';

/** What a build left on the run's branch. */
export interface StagedChanges {
  readonly added: readonly AddedFile[];
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

/** Nothing was published, since main is no longer what the result was compared with. */
export function otherWriter(model: Model): LakeError {
  return new LakeError('conflict', `${model.id} was changed by another writer during the run`, {
    where: model.id,
    hint: 'nothing of silver and gold was published; run it again',
  });
}
