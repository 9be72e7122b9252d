import type { CommandFactory } from '../command.ts';
import { withExamples } from '../command.ts';
import { addTierApply } from './tier/apply.ts';
import { addTierHistory } from './tier/history.ts';
import { addTierPlan } from './tier/plan.ts';
import { addTierRestore } from './tier/restore.ts';
import { addTierStatus } from './tier/status.ts';
import { addTierUndo } from './tier/undo.ts';

/** `lake tier …`: move data between storage tiers by policy. */
export const addTier: CommandFactory = (parent, run) => {
  const tier = parent.command('tier').description('move data between storage tiers by policy');
  const commands = [addTierStatus, addTierPlan, addTierApply, addTierRestore, addTierUndo, addTierHistory];
  for (const add of commands) add(tier, run);
  withExamples(tier, [
    [
      'lake tier plan --out moves.json && lake tier apply moves.json',
      'look at the moves, then make exactly those',
    ],
  ]);
};
