import type { LoadedTable } from '../catalog-client/catalog.ts';
import { type Tier, tierOf } from '../config.ts';
import type { Holding, TableState } from '../policy/evaluate.ts';
import { isAged, partitionEndMs } from '../policy/partition-age.ts';
import { tableName } from '../table/table.ts';
import { partitionOf } from './relocation-plan.ts';
import type { LiveFile } from './table-history.ts';

const TAG_PREFIX = 'lake.tag.';

/** What policies look at in a table, from the data files given: what each partition has in each tier. Pure. */
export function tableState(
  { identifier, metadata }: LoadedTable,
  files: Iterable<LiveFile>,
  tiers: readonly Tier[],
  timezone: string,
): TableState {
  const spec = metadata['partition-specs'].find((one) => one['spec-id'] === metadata['default-spec-id']);
  const schema = metadata.schemas.find((one) => one['schema-id'] === metadata['current-schema-id']);
  const holdings = new Map<string, Holding>();
  for (const live of files) {
    const tier = tierOf(tiers, live.file.filePath).name;
    const partition = partitionOf(live, metadata);
    const key = `${partition}\u0000${tier}`;
    const before = holdings.get(key);
    holdings.set(key, {
      partition,
      tier,
      files: (before?.files ?? 0) + 1,
      bytes: (before?.bytes ?? 0) + live.file.fileSizeInBytes,
      records: (before?.records ?? 0) + live.file.recordCount,
      endMs: before?.endMs ?? partitionEndMs(live.spec, live.schema, live.file.partition, timezone),
    });
  }
  return {
    table: tableName(identifier),
    tags: tagsOf(metadata.properties),
    aged: spec !== undefined && schema !== undefined && isAged(spec, schema),
    holdings: [...holdings.values()].sort(
      (a, b) => compare(a.partition, b.partition) || rank(tiers, a) - rank(tiers, b),
    ),
  };
}

/** Tags for `match.tags` stand in table properties `lake.tag.<key>`. */
function tagsOf(properties: Readonly<Record<string, string>>): Record<string, string> {
  const tags = Object.entries(properties).filter(([key]) => key.startsWith(TAG_PREFIX));
  return Object.fromEntries(tags.map(([key, value]) => [key.slice(TAG_PREFIX.length), value]));
}

function rank(tiers: readonly Tier[], holding: Holding): number {
  return tiers.findIndex((tier) => tier.name === holding.tier);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
