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
  readonly branch: string;
  /** Data and delete files that are live and new. */
  readonly added: readonly AddedFile[];
  /** Paths of files that were live before and are not any more. */
  readonly removed: ReadonlySet<string>;
}

/** Errors: `unavailable` where the branch does not lead back to `start`. Reads the manifests that the newer snapshots added, and no others. */
export async function writtenSince(table: Table, branch: string, start: bigint): Promise<WrittenFiles> {
  const { metadata, context } = table;
  const newer = lineSince(metadata, branchSnapshot(metadata, branch), start);
  if (newer === null) throw notWhatWasMeant(table, `its branch ${branch} was set elsewhere`);
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
          added.set(dataFile.filePath, { dataFile, specId: manifest.partitionSpecId });
        } else if (!added.delete(dataFile.filePath)) removed.add(dataFile.filePath);
      }
    }
  }
  return { table, branch, added: [...added.values()], removed };
}

/**
 * Proves that the new data files hold the rows of a query, each as often, and no others: by count and a sum of row hashes. What an engine says of its own writing is no proof:
 * row filters, column masks, and views of its own may lie between.
 *
 * @param expected in the table's types, see `tableSelect`
 * @throws LakeError `unavailable`
 */
export async function proveRows(work: Work, written: WrittenFiles, expected: string): Promise<void> {
  const { engine } = work.context;
  const { table, branch } = written;
  const schema = currentSchema(table.metadata);
  const own = new Set(written.added.map(({ dataFile }) => dataFile.filePath));
  const scan = await planScan(table, { ref: branch });
  const tasks = scan.tasks.filter(({ dataFile }) => own.has(dataFile.filePath));
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
      was === is ? `other values in its ${is} rows` : `${is} rows instead of ${was}`,
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
