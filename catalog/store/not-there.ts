import { LakeError } from '../../src/errors.ts';
import { branchNamed } from '../../src/iceberg/branch-name.ts';
import type { Levels, TableName } from './table-name.ts';

/** `a.b.t`, for messages. */
export function tableText(table: TableName): string {
  return [...table.namespace, table.name].join('.');
}

/** The errors below carry the exception name that Iceberg's REST spec gives them. */
export function noSuchNamespace(levels: Levels): LakeError {
  return new LakeError('not-found', `Namespace does not exist: ${levels.join('.')}`, {
    context: { type: 'NoSuchNamespaceException' },
  });
}

export function noSuchTable(table: TableName): LakeError {
  return new LakeError('not-found', `Table does not exist: ${tableText(table)}`, {
    context: { type: 'NoSuchTableException' },
  });
}

export function noSuchView(view: TableName): LakeError {
  return new LakeError('not-found', `View does not exist: ${tableText(view)}`, {
    context: { type: 'NoSuchViewException' },
  });
}

export function noSuchBranch(table: TableName, branch: string): LakeError {
  return new LakeError('not-found', `Table ${tableText(table)} has no branch ${branch}`, {
    hint: `Make it first: lake table branch ${tableText(table)} ${branch}`,
    context: { type: 'NoSuchTableException' },
  });
}

/** A name that a branch has cannot be a table's or view's own. Errors: `invalid-argument`. */
export function refuseBranchName(name: TableName): void {
  const named = branchNamed(name);
  if (named === null) return;
  throw new LakeError(
    'invalid-argument',
    `${tableText(name)} is the name of the branch ${named.branch} of ${tableText(named.table)}`,
    { hint: 'Nothing was made: choose a name without ".branch_".' },
  );
}

/** What a name in a namespace may stand for. */
export type Relation = 'Table' | 'View';

/** The name of a `wanted` one is taken by a `found` one: tables and views share their names. */
export function nameTaken(name: TableName, wanted: Relation, found: Relation): LakeError {
  const what = wanted === found ? found : `${found} with same name`;
  return new LakeError('already-exists', `${what} already exists: ${tableText(name)}`);
}

export function targetTaken(from: TableName, to: TableName, found: Relation): LakeError {
  const what = `Cannot rename ${tableText(from)} to ${tableText(to)}. ${found} already exists`;
  return new LakeError('already-exists', what);
}

/** Another commit came first. */
export function movedOn(what: string): LakeError {
  return new LakeError('conflict', what, {
    hint: 'Nothing was committed: refresh, and derive the change anew.',
  });
}

/** A dropped table cannot come back: another one was made at its location. */
export function placeLost(table: TableName): LakeError {
  return new LakeError(
    'conflict',
    `Another table lies at the location of the dropped table ${tableText(table)}`,
    {
      hint: 'Nothing was changed: drop and purge the other one first, or leave this one.',
    },
  );
}
