import { LakeError } from '../../src/errors.ts';
import { type Draft, startDraft, withChange } from './commit-step.ts';
import type { CatalogContext } from './context.ts';
import { commitRetried } from './events.ts';
import { commitJoined, mayPass } from './joined-commit.ts';
import type { MetadataFile } from './metadata-files.ts';
import { publish } from './publish.ts';
import type { TableChange } from './table-change.ts';

/**
 * Commits changes to one or several tables, all or none: requirements are checked and updates applied to each table as it is; the
 * metadata files are durable before all pointers change in one transaction.
 * Errors: `not-found`, `conflict` (nothing applied), `invalid-argument`, `unavailable` (nothing applied), `unknown-outcome`.
 */
export async function commitTables(
  context: CatalogContext,
  changes: readonly TableChange[],
): Promise<readonly MetadataFile[]> {
  refuseTwice(changes);
  const [only] = changes;
  if (only !== undefined && changes.length === 1) return [await commitJoined(context, only)];
  const release = await context.turns.take(changes.map(({ table }) => table));
  try {
    return await commitTogether(context, changes);
  } finally {
    release();
  }
}

async function commitTogether(
  context: CatalogContext,
  changes: readonly TableChange[],
): Promise<readonly MetadataFile[]> {
  for (let attempt = 1; ; attempt++) {
    const drafts: Draft[] = [];
    for (const change of changes) {
      drafts.push(await withChange(context, await startDraft(context, change.table), change));
    }
    try {
      return await publish(context, drafts);
    } catch (error) {
      // A pointer moved between reading and writing: what the client required decides, on the new base.
      if (!mayPass(error, attempt)) throw error;
      commitRetried.publish(null);
    }
  }
}

function refuseTwice(changes: readonly TableChange[]): void {
  const names = changes.map(({ table }) => JSON.stringify([table.namespace, table.name]));
  if (new Set(names).size === names.length) return;
  throw new LakeError('invalid-argument', 'A transaction names the same table twice', {
    hint: 'Put all updates of a table into one change. Nothing was committed.',
  });
}
