import { type Command, Option } from 'commander';
import { LakeError } from '../errors.ts';
import { durationMs, parseDuration } from '../policy/duration.ts';
import type { Lake } from '../project/open-lake.ts';
import type { ThawOptions } from '../storage/object-store.ts';
import { tableName } from '../table/table.ts';
import { type BringBack, bringBack, checkBringBack } from '../tiering/bring-back.ts';
import { awaitThawed, type FrozenFiles, frozenFiles, requestThawing } from '../tiering/thaw.ts';
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
  /** How files in archive classes are asked for, and whether to wait for them. */
  readonly thaw: ThawRequest;
}

/** As the options `--thaw` and `--no-wait` say. */
export interface ThawRequest {
  readonly speed: ThawOptions['speed'];
  readonly wait: boolean;
}

/** Days that files from an archive stay readable, for the move to copy them: it may have to be begun again. */
const THAWED_DAYS = 7;
const SPEEDS = ['expedited', 'standard', 'bulk'] as const;

/** Shows what a restore or an undo would do, asks, does it and reports; returns the exit code. */
export async function carryOutBringBack(
  session: Session,
  lake: Lake,
  plan: BringBack,
  { forMs, dryRun, gone, thaw }: BringBackOptions,
): Promise<number> {
  const moves = plan.moves.map(({ paths: _paths, ...move }) => move);
  const text = planText({ moves: plan.moves, kept: [], tables: [] });
  const lost =
    gone.length === 0 ? '' : `\n${countText(gone.length)} files are not there any more and stay out.`;
  // Refused before anything is asked or written; a dry run shows what the real one would do.
  await checkBringBack(lake, plan);
  const frozen = await frozenFiles(lake, pathsOf(plan));
  const frost = frostText(frozen);
  if (dryRun) {
    const until = pinnedUntil(plan, pinEndMs(session, forMs));
    const result = { dry_run: true, moves, gone, pinned_until: until, frozen_files: countOf(frozen) };
    session.output.result(result, `${text}${frost}${lost}`);
    return gone.length > 0 ? EXIT.conflict : EXIT.done;
  }
  session.output.note(`${text}${frost}${lost}\n`);
  await session.confirm('Make these moves?');
  if (countOf(frozen) > 0 && !(await thawed(session, lake, plan, frozen, thaw))) {
    const again = 'Run the same command again when they can be read: it goes on from there.';
    const result = {
      table: tableName(plan.table.identifier),
      state: 'thawing',
      moves,
      frozen_files: countOf(frozen),
    };
    session.output.result(result, `Asked for ${countText(countOf(frozen))} archived files. ${again}`);
    return EXIT.done;
  }
  // Days may have gone by with the thawing.
  const untilMs = pinEndMs(session, forMs);
  const result = await bringBack(lake, plan, untilMs, {
    progress: ({ table, step, done, total }) => session.progress.update(`${table}: ${step}`, done, total),
    warn: (message) => session.output.note(message),
    leaveOutGone: countOf(frozen) > 0,
  });
  session.progress.stop();
  const until = result.state === 'swapped' ? pinnedUntil(plan, untilMs) : null;
  const kept = until === null ? '' : ` No policy moves them before ${timeText(untilMs)}.`;
  session.output.result(
    { ...result, moves, gone, pinned_until: until },
    `${result.table}: moved ${countText(result.files)} files, ${bytesText(result.bytes)}.${kept}${lost}`,
  );
  return gone.length > 0 ? EXIT.conflict : EXIT.done;
}

/** A policy's clock that runs behind the wall clock, or ahead of it, must not end the pin early. */
const pinEndMs = (session: Session, forMs: number): number =>
  Math.max(session.policyNow, session.clock.now()) + forMs;

const pinnedUntil = ({ pinned }: BringBack, untilMs: number): string | null =>
  pinned.length === 0 ? null : new Date(untilMs).toISOString();

const pathsOf = ({ moves }: BringBack): string[] => moves.flatMap(({ paths }) => paths);

const countOf = ({ frozen, thawing }: FrozenFiles): number => frozen.length + thawing.length;

function frostText(files: FrozenFiles): string {
  const all = [...files.frozen, ...files.thawing];
  if (all.length === 0) return '';
  const bytes = all.reduce((sum, { size }) => sum + size, 0);
  const asked = files.thawing.length === 0 ? '' : `, ${countText(files.thawing.length)} asked for already`;
  return `\n${countText(all.length)} files, ${bytesText(bytes)}, lie in an archive class and must be thawed first${asked}.`;
}

/** Asks for archived files and, unless told not to, waits for them. Returns whether they can be read. */
async function thawed(
  session: Session,
  lake: Lake,
  plan: BringBack,
  frozen: FrozenFiles,
  { speed, wait }: ThawRequest,
): Promise<boolean> {
  const options = { days: THAWED_DAYS, speed };
  await requestThawing(lake, frozen, options);
  if (!wait) return false;
  session.output.note(
    'Waiting for the archived files: minutes to two days. You may break off; the same command goes on later.\n',
  );
  const files = { table: tableName(plan.table.identifier), locations: pathsOf(plan) };
  await awaitThawed(lake, files, options, ({ table, step, done, total }) =>
    session.progress.update(`${table}: ${step}`, done, total),
  );
  session.progress.stop();
  return true;
}

/** Adds the options of `ThawRequest` to a command. */
export function withThawOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--thaw <speed>', 'how fast, and dear, files in archive classes are asked for')
        .choices(SPEEDS)
        .default('standard'),
    )
    .option('--no-wait', 'ask for archived files and end; the same command later goes on');
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
