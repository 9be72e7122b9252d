import type { LoadedTable } from '../catalog-client/catalog.ts';
import { tierOf } from '../config.ts';
import { MAIN_BRANCH } from '../iceberg/refs.ts';
import type { Snapshot } from '../iceberg/snapshot.ts';
import { currentSnapshot } from '../iceberg/table-metadata.ts';
import type { BacklogState } from '../policy/backlog.ts';
import type { Policy } from '../policy/policy-set.ts';
import { readManifestContent } from '../table/manifests.ts';
import { ownFiles } from '../tiering/movable.ts';
import { agedState, whyNotNow } from '../tiering/plan-moves.ts';
import { FENCE_PROPERTY } from '../tiering/protocol.ts';
import { retainedAncestry } from '../tiering/staged-work.ts';
import {
  distinctManifests,
  hasLiveFiles,
  historyOf,
  type LiveFile,
  type TableHistory,
} from '../tiering/table-history.ts';
import type { TieredLake } from '../tiering/tiering-context.ts';
import { type FreshnessRule, newestMs } from './freshness.ts';

/** What the data files of a table's current state come to in one tier. */
export interface TierSize {
  readonly objects: number;
  readonly bytes: number;
}

/** What is kept of a table between two readings: nothing that grows with its files, but for unpartitioned tables that move file by file. */
export interface TableFacts {
  readonly tiers: ReadonlyMap<string, TierSize>;
  readonly rows: number;
  /** The last commit to main that was no move, ms since 1970; null for a table without one. */
  readonly lastChangeMs: number | null;
  /** What policies look at. */
  readonly state: BacklogState & { readonly cannotAge: string | null };
  /** Why none of its files is moved, whatever its policy says; null if they can be. */
  readonly blocked: string | null;
  /** The newest value of each column that has a freshness check. */
  readonly newest: ReadonlyMap<string, number | null>;
}

/**
 * Reads the manifests of a table's retained snapshots, each once. Errors: `not-found` (read it again as it is now), `corrupt`, `unsupported`.
 *
 * @param policy the one that governs the table; null if none does
 */
export async function readTableFacts(
  lake: TieredLake,
  table: LoadedTable,
  policy: Policy | null,
  rules: readonly FreshnessRule[],
): Promise<TableFacts> {
  const { metadata } = table;
  const history = await historyOf(lake.objects, table);
  const metrics = rules.length > 0 || policy?.age.by === 'column';
  const { live, current } = await filesOf(lake, history, metrics);
  const isOwn = ownFiles(metadata);
  const own = new Map([...live].filter(([path]) => isOwn(path)));
  const aged = await agedState(lake, policy, { table, history, live: own, eachFile: true });
  return {
    tiers: tierSizes(lake, current),
    rows: rowCount(currentSnapshot(metadata), current),
    lastChangeMs: lastChangeMs(table),
    state: {
      cannotAge: aged.cannotAge,
      pins: aged.pins,
      holdings: aged.holdings.map(({ paths: _paths, records: _records, ...holding }) => holding),
    },
    blocked: whyNotNow(lake.config, table),
    newest: new Map(rules.map(({ column }) => [column, newestMs(current, column)])),
  };
}

/** The data files of all retained snapshots, which move together, and those of the current state. */
async function filesOf(lake: TieredLake, history: TableHistory, metrics: boolean) {
  const head = history.metadata.refs[MAIN_BRANCH]?.['snapshot-id'];
  const atHead = history.snapshots.find(({ snapshot }) => snapshot['snapshot-id'] === head)?.manifests ?? [];
  const current: LiveFile[] = [];
  const live = new Map<string, LiveFile>();
  const headPaths = new Set(atHead.map(({ manifestPath }) => manifestPath));
  for (const manifest of distinctManifests(history)) {
    if (manifest.content !== 'data' || !hasLiveFiles(manifest)) continue;
    const { entries, spec, schema } = await readManifestContent(lake.objects, manifest, { metrics });
    for (const { status, dataFile, ...ids } of entries) {
      if (status === 'deleted') continue;
      const file = { file: dataFile, spec, schema, ...ids };
      live.set(dataFile.filePath, file);
      if (headPaths.has(manifest.manifestPath)) current.push(file);
    }
  }
  return { live, current };
}

function tierSizes(lake: TieredLake, files: readonly LiveFile[]): Map<string, TierSize> {
  const sizes = new Map<string, TierSize>();
  for (const { file } of files) {
    const { name } = tierOf(lake.config.tiers, file.filePath);
    const { objects, bytes } = sizes.get(name) ?? { objects: 0, bytes: 0 };
    sizes.set(name, { objects: objects + 1, bytes: bytes + file.fileSizeInBytes });
  }
  return sizes;
}

/** Rows in data files less those that position deletes name; what equality deletes take away only a reading of the data would tell. */
function rowCount(head: Snapshot | undefined, files: readonly LiveFile[]): number {
  const records = files.reduce((sum, { file }) => sum + file.recordCount, 0);
  const deleted = Number(head?.summary['total-position-deletes'] ?? 0);
  return Math.max(0, records - (Number.isFinite(deleted) ? deleted : 0));
}

function lastChangeMs({ metadata }: LoadedTable): number | null {
  const head = metadata.refs[MAIN_BRANCH]?.['snapshot-id'];
  if (head === undefined) return null;
  const changes = retainedAncestry(metadata, head).filter((one) => one.summary[FENCE_PROPERTY] === undefined);
  return changes.length === 0 ? null : Math.max(...changes.map((one) => one['timestamp-ms']));
}
