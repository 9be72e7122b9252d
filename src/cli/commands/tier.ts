import type { CommandFactory } from '../command.ts';
import { withExamples } from '../command.ts';
import { addTierApply } from './tier/apply.ts';
import { addTierPlan } from './tier/plan.ts';
import { addTierStatus } from './tier/status.ts';

/** `lake tier …`: move data between storage tiers by policy. */
export const addTier: CommandFactory = (parent, run) => {
  const tier = parent.command('tier').description('move data between storage tiers by policy');
  for (const add of [addTierStatus, addTierPlan, addTierApply]) add(tier, run);
  withExamples(tier, [
    [
      'lake tier plan --out moves.json && lake tier apply moves.json',
      'look at the moves, then make exactly those',
    ],
  ]);
};
