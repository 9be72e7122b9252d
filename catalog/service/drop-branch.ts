import { isKind } from '../../src/errors.ts';
import { ancestors, type TableMetadata } from '../../src/iceberg/table-metadata.ts';
import type { TableName } from '../store/catalog-store.ts';
import { commitTables } from './commit.ts';
import type { CatalogContext } from './context.ts';
import { currentFile } from './load-table.ts';
import { requireBranch } from './table-branch.ts';

/** Commits to the branch that come in between may be as many. */
const ATTEMPTS = 8;

/**
 * Drops a branch with the snapshots that it alone leads to, in one commit. They must not stay behind: Iceberg Java before 1.10 (so Trino 476), when it expires a snapshot
 * that no ref leads to, deletes the files that it added without a look at whether main has them too by now. Files stay, and what nothing refers to is left to orphan removal.
 * Errors: `not-found` for a branch that the table does not have; `conflict` where others keep committing to it; as `commitTables`.
 */
export async function dropBranch(context: CatalogContext, table: TableName, branch: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const { metadata } = await currentFile(context, table);
    const { 'snapshot-id': head } = requireBranch(metadata, table, branch);
    const change = {
      table,
      requirements: [
        { type: 'assert-table-uuid', uuid: metadata['table-uuid'] },
        { type: 'assert-ref-snapshot-id', ref: branch, 'snapshot-id': head },
      ],
      updates: [
        { action: 'remove-snapshot-ref', 'ref-name': branch },
        { action: 'remove-snapshots', 'snapshot-ids': onlyOf(metadata, branch, head) },
      ],
    } as const;
    try {
      await commitTables(context, [change]);
      return;
    } catch (error) {
      if (!isKind(error, 'conflict') || attempt === ATTEMPTS) throw error;
    }
  }
}

/** Snapshots of the branch's line that no other ref leads to, and that main never was at. */
function onlyOf(metadata: TableMetadata, branch: string, head: bigint): bigint[] {
  const kept = new Set(metadata['snapshot-log'].map((entry) => entry['snapshot-id']));
  for (const [name, ref] of Object.entries(metadata.refs)) {
    if (name === branch) continue;
    for (const snapshot of ancestors(metadata, ref['snapshot-id'])) kept.add(snapshot['snapshot-id']);
  }
  const line = [...ancestors(metadata, head)].map((snapshot) => snapshot['snapshot-id']);
  return line.filter((id) => !kept.has(id));
}
