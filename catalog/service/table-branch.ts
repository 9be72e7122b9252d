import { LakeError } from '../../src/errors.ts';
import { serializeTableMetadata } from '../../src/iceberg/metadata-json.ts';
import { MAIN_BRANCH, type SnapshotRef } from '../../src/iceberg/refs.ts';
import type { TableRequirement } from '../../src/iceberg/requirements.ts';
import { ancestors, type SnapshotLogEntry, type TableMetadata } from '../../src/iceberg/table-metadata.ts';
import type { TableUpdate } from '../../src/iceberg/updates.ts';
import type { TableName } from '../store/catalog-store.ts';
import { noSuchBranch } from '../store/not-there.ts';
import type { CatalogContext } from './context.ts';
import { currentFile } from './load-table.ts';
import type { MetadataFile } from './metadata-files.ts';
import type { TableChange } from './table-change.ts';

/*
 * A branch as a table of its own, for engines that know of no branches, or cannot write to them: `gold.fct_flight.branch_audit` is the table with the branch in main's
 * place, and what is committed to it goes to the branch. It is another name for the same table and nothing that is stored.
 */

/** Updates that stay as they are: new snapshots, and statistics, which belong to a snapshot. */
const KEPT: ReadonlySet<string> = new Set([
  'add-snapshot',
  'set-statistics',
  'remove-statistics',
  'set-partition-statistics',
  'remove-partition-statistics',
]);

const views = new WeakMap<MetadataFile, Map<string, MetadataFile>>();

/**
 * The table's metadata file as it is seen by the branch's name. Made once for each file and branch.
 * Errors: as `requireBranch`.
 */
export function branchFile(file: MetadataFile, table: TableName, branch: string): MetadataFile {
  const known = views.get(file) ?? new Map<string, MetadataFile>();
  views.set(file, known);
  const before = known.get(branch);
  if (before !== undefined) return before;
  const metadata = branchMetadata(file.metadata, requireBranch(file.metadata, table, branch));
  const made = { location: file.location, metadata, json: Buffer.from(serializeTableMetadata(metadata)) };
  known.set(branch, made);
  return made;
}

/** Errors: `not-found` for a branch that the table does not have. A tag is none, and main has the table's own name: a second one would slip past rules that go by it. */
export function requireBranch(metadata: TableMetadata, table: TableName, branch: string): SnapshotRef {
  const ref = Object.hasOwn(metadata.refs, branch) ? metadata.refs[branch] : undefined;
  if (ref?.type !== 'branch' || branch === MAIN_BRANCH) throw noSuchBranch(table, branch);
  return ref;
}

function branchMetadata(metadata: TableMetadata, ref: SnapshotRef): TableMetadata {
  const head = ref['snapshot-id'];
  return {
    ...metadata,
    'current-snapshot-id': head,
    refs: { ...metadata.refs, [MAIN_BRANCH]: ref },
    'snapshot-log': branchLog(metadata, head),
  };
}

/** The branch's snapshots, oldest first: what the log would hold if the branch were main. Times never fall, as clients check that. */
function branchLog(metadata: TableMetadata, head: bigint): SnapshotLogEntry[] {
  const line = [...ancestors(metadata, head)].reverse();
  let latest = 0;
  return line.map((snapshot) => {
    latest = Math.max(latest, snapshot['timestamp-ms']);
    return { 'timestamp-ms': latest, 'snapshot-id': snapshot['snapshot-id'] };
  });
}

/** The table's current metadata file, as it is seen by the name that it was asked for. Errors: as `currentFile` and `requireBranch`. */
export async function shownFile(
  context: CatalogContext,
  { table, branch }: { readonly table: TableName; readonly branch: string | null },
): Promise<MetadataFile> {
  const file = await currentFile(context, table);
  return branch === null ? file : branchFile(file, table, branch);
}

/**
 * A commit made by the branch's name as the table has to take it: what is said of main is meant of the branch.
 * Errors: `invalid-argument` for whatever is more than new snapshots of this branch: columns, properties and other branches are the table's own.
 */
export function branchChange(
  table: TableName,
  branch: string,
  change: Omit<TableChange, 'table'>,
): TableChange {
  const updates = change.updates.map((update) => onBranch(update, branch));
  const requirements = change.requirements.map((requirement) => ofBranch(requirement, branch));
  const moves = updates.some(({ action }) => action === 'set-snapshot-ref');
  const knows = requirements.some(({ type }) => type === 'assert-ref-snapshot-id');
  // Without it another writer's snapshots would be passed over, and a branch that was dropped meanwhile would come back.
  if (moves && !knows) refuse('a commit that does not say at which snapshot the branch has to be');
  return { table, requirements, updates };
}

function onBranch(update: TableUpdate, branch: string): TableUpdate {
  if (KEPT.has(update.action)) return update;
  if (update.action === 'set-snapshot-ref' && update['ref-name'] === MAIN_BRANCH) {
    return { ...update, 'ref-name': branch };
  }
  return refuse(`the update ${update.action}`);
}

function ofBranch(requirement: TableRequirement, branch: string): TableRequirement {
  if (requirement.type === 'assert-create') return refuse('the creation of a table');
  if (requirement.type !== 'assert-ref-snapshot-id') return requirement;
  if (requirement.ref !== MAIN_BRANCH) return refuse(`a requirement on ${requirement.ref}`);
  // By this name the branch is there, or nothing is: it has no state without a snapshot.
  if (requirement['snapshot-id'] === null) return refuse('a requirement that there are no rows yet');
  return { ...requirement, ref: branch };
}

function refuse(what: string): never {
  throw new LakeError('invalid-argument', `By the name of a branch the catalog does not take ${what}`, {
    hint: 'Nothing was committed. Only rows are changed by this name: change the rest of the table by its own.',
  });
}
