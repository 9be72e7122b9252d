import { LakeError } from '../errors.ts';
import type { TrinoEngine } from './trino.ts';

/** How Trino's plan shows that a table is read, at a snapshot (null: it has none). */
export function dataRead(catalog: string, table: string, snapshotId: bigint | null): string {
  return `${catalog}:${table}$data${snapshotId === null ? '' : `@${snapshotId}`}`;
}

/**
 * Trino itself tells what a query reads, through views too. Errors: `unsupported` for a read that is none of `expected`.
 *
 * @param expected as `dataRead` gives them
 */
export async function refuseOtherReads(
  trino: TrinoEngine,
  sql: string,
  expected: readonly string[],
): Promise<void> {
  const other = (await readsOf(trino, sql)).find((read) => !expected.some((one) => isRead(read, one)));
  if (other === undefined) return;
  throw new LakeError('unsupported', `Trino would read ${other}, which is not the snapshot that is meant`, {
    hint: 'A view reads the present, and metadata tables have no past: name the tables themselves. Nothing was changed.',
  });
}

/** True if what a plan reads is what `dataRead` names. */
export function isRead(read: string, named: string): boolean {
  // Behind a space stands what is read of the table.
  return read === named || read.startsWith(`${named} `);
}

/** What a query reads by Trino's plan, see `isRead`. */
export async function readsOf(trino: TrinoEngine, sql: string): Promise<readonly string[]> {
  const [row] = await trino.rows(`EXPLAIN (TYPE LOGICAL, FORMAT JSON) ${sql}`);
  return plannedReads(JSON.parse(String(row?.[0])));
}

function plannedReads(plan: unknown): string[] {
  if (Array.isArray(plan)) return plan.flatMap(plannedReads);
  if (typeof plan !== 'object' || plan === null) return [];
  const own = 'table' in plan && typeof plan.table === 'string' ? [plan.table] : [];
  return [...own, ...Object.values(plan).flatMap(plannedReads)];
}
