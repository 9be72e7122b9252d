import { isKind, LakeError } from '../../src/errors.ts';
import { checkRequirements, type TableRequirement } from '../../src/iceberg/requirements.ts';
import type { TableMetadata } from '../../src/iceberg/table-metadata.ts';
import { applyUpdates, type TableUpdate } from '../../src/iceberg/updates.ts';
import type { Fence, PointerChange, TableName } from '../store/catalog-store.ts';
import { noSuchTable } from '../store/not-there.ts';
import type { CatalogContext } from './context.ts';
import { checkAgainstExpiry } from './expiry-guard.ts';
import { requireFreeName } from './free-name.ts';
import type { MetadataFile } from './metadata-files.ts';
import { checkAgainstMoves } from './moved-paths.ts';
import { surelyRefused } from './pointer-outcome.ts';

/** One table's part of a commit. */
export interface TableChange {
  readonly table: TableName;
  readonly requirements: readonly TableRequirement[];
  readonly updates: readonly TableUpdate[];
}

interface Prepared {
  readonly table: TableName;
  readonly base: MetadataFile | null;
  readonly next: TableMetadata;
  readonly fences: readonly Fence[];
}

/** How often a commit whose requirements still hold is applied anew to a table that moved on under it. */
const ATTEMPTS = 8;

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
  for (let attempt = 1; ; attempt++) {
    const prepared: Prepared[] = [];
    for (const change of changes) prepared.push(await prepare(context, change));
    try {
      return await publish(context, prepared);
    } catch (error) {
      // A pointer moved between reading and writing: what the client required decides, on the new base.
      if (!isKind(error, 'conflict', 'already-exists') || attempt === ATTEMPTS) throw error;
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

async function prepare(context: CatalogContext, change: TableChange): Promise<Prepared> {
  const { table, requirements, updates } = change;
  const pointer = await context.store.findTable(table);
  const creates = requirements.some((requirement) => requirement.type === 'assert-create');
  if (pointer === null && !creates) throw noSuchTable(table);
  if (pointer === null) await requireFreeName(context, table, 'Table');
  const base = pointer === null ? null : await context.files.read(pointer.metadataLocation);
  checkRequirements(base?.metadata ?? null, requirements);
  const next = applyUpdates(base?.metadata ?? null, updates, {
    nowMs: context.clock.now(),
    ...(base === null ? {} : { previousMetadataLocation: base.location }),
  });
  checkAgainstExpiry(base?.metadata ?? null, next, updates);
  const fences = await checkAgainstMoves(context, base?.metadata ?? null, next, updates);
  return { table, base, next, fences };
}

async function publish(context: CatalogContext, prepared: readonly Prepared[]): Promise<MetadataFile[]> {
  const written: MetadataFile[] = [];
  let asked = false;
  try {
    const files: MetadataFile[] = [];
    for (const { base, next } of prepared) {
      if (base !== null && next === base.metadata) {
        files.push(base);
        continue;
      }
      const file = await context.files.write(next, base?.location ?? null);
      written.push(file);
      files.push(file);
    }
    const changes = prepared.map((one, at) => pointerChange(one, files[at]?.location ?? ''));
    asked = true;
    await context.store.changePointers(changes);
    return files;
  } catch (error) {
    // After any other outcome a pointer may name these files: they stay.
    if (!asked || surelyRefused(error)) await context.files.discard(written);
    throw error;
  }
}

function pointerChange({ table, base, next, fences }: Prepared, metadataLocation: string): PointerChange {
  const expected = base?.location ?? null;
  return { ...table, uuid: next['table-uuid'], expected, metadataLocation, fences };
}
