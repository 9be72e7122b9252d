import type { RefusedTable } from '../maintenance/maintenance-run.ts';
import type { TierProgress } from '../tiering/tiering-context.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import type { Session } from './session.ts';

/** Shows how far maintenance has come. */
export function tierProgress(session: Session): (progress: TierProgress) => void {
  return ({ table, step, done, total }) => session.progress.update(`${table}: ${step}`, done, total);
}

/** A line for each table that was left alone. */
export function refusedLines(refused: readonly RefusedTable[], what: string): string[] {
  return refused.map((one) => `${one.table}: ${what}: ${one.reason}`);
}

/** 6 where other work was in the way and nothing worse, 1 where a table could not be done, else 0. */
export function refusedExit(refused: readonly RefusedTable[]): number {
  const codes = refused.flatMap(({ kind }) => (kind === 'skipped' ? [] : [exitCodeOf(kind)]));
  if (codes.length === 0) return EXIT.done;
  return codes.every((code) => code === EXIT.conflict) ? EXIT.conflict : EXIT.failed;
}
