import { LakeError } from '../../src/errors.ts';
import type { Levels, TableName } from './catalog-store.ts';

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

export function tableExists(table: TableName): LakeError {
  return new LakeError('already-exists', `Table already exists: ${tableText(table)}`);
}

/** Another commit came first. */
export function movedOn(what: string): LakeError {
  return new LakeError('conflict', what, {
    hint: 'Nothing was committed: refresh, and derive the change anew.',
  });
}
