import { LakeError } from '../errors.ts';
import { durationMs, parseDuration } from '../policy/duration.ts';
import type { Lake } from '../project/open-lake.ts';
import { type BringBack, bringBack } from '../tiering/bring-back.ts';
import { EXIT } from './exit-codes.ts';
import { planText } from './plan-text.ts';
import type { Session } from './session.ts';
import { bytesText, countText, timeText } from './units.ts';

interface BringBackOptions {
  /** How long no policy moves the partitions away again, ms. */
  readonly forMs: number;
  readonly dryRun: boolean;
  /** Files that were to be brought back and are not there any more. */
  readonly gone: readonly string[];
}

/** Shows what a restore or an undo would do, asks, does it and reports; returns the exit code. */
export async function carryOutBringBack(
  session: Session,
  lake: Lake,
  plan: BringBack,
  { forMs, dryRun, gone }: BringBackOptions,
): Promise<number> {
  const moves = plan.moves.map(({ paths: _paths, ...move }) => move);
  // A policy's clock that runs behind the wall clock, or ahead of it, must not end the pin early.
  const untilMs = Math.max(session.policyNow, session.clock.now()) + forMs;
  const until = plan.pinned.length === 0 ? null : new Date(untilMs).toISOString();
  const text = planText({ moves: plan.moves, kept: [], tables: [] });
  const lost =
    gone.length === 0 ? '' : `\n${countText(gone.length)} files are not there any more and stay out.`;
  if (dryRun) {
    session.output.result({ dry_run: true, moves, gone, pinned_until: until }, `${text}${lost}`);
    return gone.length > 0 ? EXIT.conflict : EXIT.done;
  }
  session.output.note(`${text}${lost}\n`);
  await session.confirm('Make these moves?');
  const result = await bringBack(lake, plan, untilMs, {
    progress: ({ table, step, done, total }) => session.progress.update(`${table}: ${step}`, done, total),
    warn: (message) => session.output.note(message),
  });
  session.progress.stop();
  const pinnedUntil = result.state === 'swapped' ? until : null;
  const kept = pinnedUntil === null ? '' : ` No policy moves them before ${timeText(untilMs)}.`;
  session.output.result(
    { ...result, moves, gone, pinned_until: pinnedUntil },
    `${result.table}: moved ${countText(result.files)} files, ${bytesText(result.bytes)}.${kept}${lost}`,
  );
  return gone.length > 0 ? EXIT.conflict : EXIT.done;
}

/** The time that `--for` gives, in ms. Errors: `usage`. */
export function pinSpanMs(text: string): number {
  try {
    return durationMs(parseDuration(text));
  } catch (cause) {
    if (!(cause instanceof LakeError)) throw cause;
    throw new LakeError('usage', `--for: ${cause.message}`, {
      cause,
      ...(cause.hint === undefined ? {} : { hint: cause.hint }),
    });
  }
}
