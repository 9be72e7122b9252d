import { planUndo } from '../../../tiering/undo.ts';
import { carryOutBringBack, pinSpanMs, type ThawRequest, withThawOptions } from '../../bring-back.ts';
import type { CommandFactory } from '../../command.ts';
import { withExamples } from '../../command.ts';
import type { Session } from '../../session.ts';

interface UndoOptions {
  readonly for: string;
  readonly dryRun?: boolean;
  readonly thaw: ThawRequest['speed'];
  readonly wait: boolean;
}

/** `lake tier undo [RELOCATION]`: takes the files of a move back to the tiers they came from. */
export const addTierUndo: CommandFactory = (parent, run) => {
  const command = parent
    .command('undo')
    .description('take the files of a move back to the tiers they came from, as a new move')
    .argument(
      '[relocation]',
      'an id of `lake tier history`, or its first characters (default: the last move)',
    )
    .option('--for <duration>', 'how long no policy moves them away again', '7d')
    .option('--dry-run', 'say what would be moved, and change nothing')
    .action((id: string | undefined, options: UndoOptions) => run((session) => undo(session, id, options)));
  withThawOptions(command);
  withExamples(command, [
    ['lake tier undo --dry-run', 'what taking back the last move would do'],
    [
      'lake tier undo 3f0c92d1 --for 30d',
      'one move of `lake tier history`; exit code 6 if some files are gone',
    ],
  ]);
};

async function undo(session: Session, id: string | undefined, options: UndoOptions): Promise<number> {
  const forMs = pinSpanMs(options.for);
  const lake = await session.lake();
  const plan = await planUndo(lake, id);
  return carryOutBringBack(session, lake, plan, {
    forMs,
    dryRun: options.dryRun === true,
    gone: plan.gone,
    thaw: { speed: options.thaw, wait: options.wait },
  });
}
