import type { TableUpdate } from '../../src/iceberg/updates.ts';
import { PATH_PROPERTIES } from '../service/own-locations.ts';
import type { TableChange } from '../service/table-change.ts';
import type { Need, Right } from './access.ts';

export const COMMIT_NEEDS =
  'write on the table; maintain to expire snapshots; write or maintain for compaction, statistics and dropped branches; manage to change its location; manage on the namespace to create it';

/** Updates that take history away, or are part of doing so. */
const EXPIRES: ReadonlySet<string> = new Set(['remove-snapshots']);
/** Updates that change no row: who may maintain the table may make them, as may who writes. */
const UPKEEP: ReadonlySet<string> = new Set([
  'remove-snapshot-ref',
  'remove-schemas',
  'remove-partition-specs',
  'set-statistics',
  'remove-statistics',
  'set-partition-statistics',
  'remove-partition-statistics',
]);
const RELOCATES: ReadonlySet<string> = new Set(['set-location']);

/**
 * What a commit to one table needs. A `replace` snapshot says of itself that it changes no row (Iceberg spec, snapshot summaries:
 * compaction), and no catalog can prove it: whoever may maintain a table is trusted with that.
 */
export function needsOfCommit({ table, requirements, updates }: TableChange): readonly Need[] {
  if (requirements.some(({ type }) => type === 'assert-create')) {
    const manage = { anyOf: ['manage'] } as const;
    return [
      { ...manage, on: { kind: 'namespace', levels: table.namespace } },
      ...assignedUuids(updates).map(
        (uuid): Need => ({ ...manage, on: { kind: 'table-uuid', uuid }, orAbsent: true }),
      ),
    ];
  }
  const replaced = replaceSnapshots(updates);
  const wanted = new Map(updates.map((update) => rightsOf(update, replaced)).map((one) => [one.join(), one]));
  if (wanted.size === 0) wanted.set('write', ['write']);
  return [...wanted.values()].map((anyOf) => ({ anyOf, on: { kind: 'table', name: table } }));
}

function rightsOf(update: TableUpdate, replaced: ReadonlySet<bigint>): readonly Right[] {
  if (RELOCATES.has(update.action) || leadsElsewhere(update)) return ['manage'];
  if (EXPIRES.has(update.action)) return ['maintain'];
  // Without its main branch the table is empty.
  if (update.action === 'remove-snapshot-ref' && update['ref-name'] === 'main') return ['write'];
  return UPKEEP.has(update.action) || isReplace(update, replaced) ? ['write', 'maintain'] : ['write'];
}

/** A folder that a property names becomes the table's own, and its writers get credentials for it, as by `set-location`. */
function leadsElsewhere(update: TableUpdate): boolean {
  return (
    update.action === 'set-properties' && PATH_PROPERTIES.some((name) => Object.hasOwn(update.updates, name))
  );
}

function isReplace(update: TableUpdate, replaced: ReadonlySet<bigint>): boolean {
  if (update.action === 'add-snapshot') return replaced.has(update.snapshot['snapshot-id']);
  return update.action === 'set-snapshot-ref' && replaced.has(update['snapshot-id']);
}

function assignedUuids(updates: readonly TableUpdate[]): readonly string[] {
  return updates.flatMap((update) => (update.action === 'assign-uuid' ? [update.uuid] : []));
}

/** Ids of the snapshots that the commit adds and that say they are replacements. */
function replaceSnapshots(updates: readonly TableUpdate[]): ReadonlySet<bigint> {
  const ids = updates.flatMap((update) =>
    update.action === 'add-snapshot' && update.snapshot.summary?.operation === 'replace'
      ? [update.snapshot['snapshot-id']]
      : [],
  );
  return new Set(ids);
}
