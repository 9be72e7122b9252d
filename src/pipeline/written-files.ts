import { createTableView, dropTableView } from '../engine/iceberg-view.ts';
import { LakeError } from '../errors.ts';
import { UNPARTITIONED } from '../iceberg/partition-spec.ts';
import { currentSchema } from '../iceberg/table-metadata.ts';
import { readManifestContent, snapshotManifests } from '../table/manifests.ts';
import { planScan } from '../table/scan.ts';
import type { AddedFile } from '../table/snapshot-files.ts';
import { branchSnapshot } from '../table/stage-snapshot.ts';
import type { Table } from '../table/table.ts';
import { lineSince } from '../table/validate-since.ts';
import type { Work } from './build-work.ts';
import { digest, tableSelect } from './changed-partitions.ts';

/** What another engine's snapshots on a branch did to the table's files. */
export interface WrittenFiles {
  readonly table: Table;
  readonly heldBy: { readonly branch: string; readonly head: bigint };
  /** Data and delete files that are live and new. */
  readonly added: readonly AddedFile[];
  /** Paths of files that were live before and are not any more. */
  readonly removed: ReadonlySet<string>;
}

/** Errors: `unavailable` where the branch does not lead back to `start`. Reads the manifests that the newer snapshots added, and no others. */
export async function writtenSince(table: Table, branch: string, start: bigint): Promise<WrittenFiles> {
  const { metadata, context } = table;
  const head = branchSnapshot(metadata, branch);
  const newer = lineSince(metadata, head, start);
  if (newer === null || head === undefined)
    throw notWhatWasMeant(table, `its branch ${branch} was set elsewhere`);
  const added = new Map<string, AddedFile>();
  const removed = new Set<string>();
  for (const snapshot of newer.reverse()) {
    const id = snapshot['snapshot-id'];
    for (const manifest of await snapshotManifests(context.objects, snapshot)) {
      if (manifest.addedSnapshotId !== id) continue;
      for (const entry of (await readManifestContent(context.objects, manifest)).entries) {
        if (entry.snapshotId !== id || entry.status === 'existing') continue;
        const { dataFile } = entry;
        if (entry.status === 'added') {
          // They would no longer hold for files of their own line, once all are of one sequence number.
          if (dataFile.content === 'equality-deletes') throw notWhatWasMeant(table, 'equality deletes');
          added.set(dataFile.filePath, { dataFile, specId: manifest.partitionSpecId });
        } else if (!added.delete(dataFile.filePath)) removed.add(dataFile.filePath);
      }
    }
  }
  const heldBy = { branch, head: head['snapshot-id'] };
  return { table, heldBy, added: [...added.values()], removed };
}

/** INSERTs take no rows away. Errors: `unavailable`. */
export function refuseDeletes({ table, added, removed }: WrittenFiles): void {
  const isPlain = removed.size === 0 && added.every(({ dataFile }) => dataFile.content === 'data');
  if (!isPlain) throw notWhatWasMeant(table, 'rows of it are deleted');
}

/**
 * Proves that the new data files hold the rows of a query, each as often, and no others: by count and a sum of row hashes. What an engine says of its own writing is no proof:
 * row filters, column masks, and views of its own may lie between.
 *
 * @param expected in the table's types, see `tableSelect`
 * @throws LakeError `unavailable`
 */
export async function proveRows(work: Work, written: WrittenFiles, expected: string): Promise<void> {
  await prove(work, written, { expected, isNew: true, what: 'in the new files' });
}

/**
 * Proves that the files which were there before hold the rows of a query still, and no others, with what was deleted of them. Reads the table.
 * Arguments and errors: as `proveRows`.
 */
export async function proveRest(work: Work, written: WrittenFiles, expected: string): Promise<void> {
  await prove(work, written, { expected, isNew: false, what: 'beside the new files' });
}

async function prove(
  { context: { engine } }: Work,
  { table, heldBy, added }: WrittenFiles,
  { expected, isNew, what }: { readonly expected: string; readonly isNew: boolean; readonly what: string },
): Promise<void> {
  const schema = currentSchema(table.metadata);
  const own = new Set(added.map(({ dataFile }) => dataFile.filePath));
  const scan = await planScan(table, { ref: heldBy.branch });
  const tasks = scan.tasks.filter(({ dataFile }) => own.has(dataFile.filePath) === isNew);
  const view = `"lake written ${engine.nextId()}"`;
  const digests: string[] = [];
  try {
    await createTableView(engine, view, { ...scan, tasks });
    for (const select of [expected, tableSelect(`SELECT * FROM ${view}`, schema)]) {
      digests.push(await digest(engine, select, UNPARTITIONED, schema));
    }
    const [wanted, found] = await Promise.all(
      digests.map((one) => engine.all(`SELECT n, h::VARCHAR AS h FROM ${one}`)),
    );
    if (JSON.stringify(wanted) === JSON.stringify(found)) return;
    const [was, is] = [wanted?.[0]?.['n'], found?.[0]?.['n']];
    throw notWhatWasMeant(
      table,
      was === is ? `other values in ${is} rows ${what}` : `${is} rows instead of ${was} ${what}`,
    );
  } finally {
    for (const one of digests) await engine.run(`DROP TABLE IF EXISTS ${one}`);
    await dropTableView(engine, view);
  }
}

function notWhatWasMeant(table: Table, what: string): LakeError {
  return new LakeError(
    'unavailable',
    `Trino did not write to ${table.name} what its SQL had given: ${what}`,
    {
      hint: 'Nothing was published. Has its account row filters or column masks on lake_staging? Run again, or let the model be run by duckdb.',
    },
  );
}
