import { governingPolicy } from '../../../policy/match.ts';
import { DEFAULT_GRACE_MS } from '../../../tiering/apply-plan.ts';
import { parsePartitionChoice } from '../../../tiering/partition-choice.ts';
import { readPolicies } from '../../../tiering/policy-files.ts';
import { planRestore } from '../../../tiering/restore.ts';
import { matchedTable } from '../../../tiering/table-state.ts';
import { carryOutBringBack, pinSpanMs, type ThawRequest, withThawOptions } from '../../bring-back.ts';
import type { CommandFactory } from '../../command.ts';
import { withExamples } from '../../command.ts';
import { EXIT } from '../../exit-codes.ts';
import { findTable } from '../../find-table.ts';
import type { Session } from '../../session.ts';

interface RestoreOptions {
  readonly partitions: string;
  readonly to?: string;
  readonly for: string;
  readonly dryRun?: boolean;
  readonly thaw: ThawRequest['speed'];
  readonly wait: boolean;
}

/** `lake tier restore TABLE`: brings partitions back to a hotter tier, and keeps them there for a time. */
export const addTierRestore: CommandFactory = (parent, run) => {
  const command = parent
    .command('restore')
    .description('bring partitions back to a hotter tier; the policies leave them there for a time')
    .argument('<table>', 'NAMESPACE.TABLE')
    .requiredOption('--partitions <range>', 'FROM..TO with both ends, one partition, or "*" for all')
    .option('--to <tier>', 'the tier to bring them to (default: the hottest)')
    .option('--for <duration>', 'how long no policy moves them away again', '7d')
    .option('--dry-run', 'say what would be moved, and change nothing')
    .action((table: string, options: RestoreOptions) => run((session) => restore(session, table, options)));
  withThawOptions(command);
  withExamples(command, [
    [
      'lake tier restore gold.fct_flight --partitions 2001-01-05..2001-01-31 --for 14d',
      'to the hottest tier, kept there for two weeks',
    ],
    [
      'lake tier restore gold.fct_flight --partitions day=2001-01-05 --to warm --dry-run',
      'what it would move',
    ],
    [
      'lake tier restore gold.fct_flight --partitions "*" --thaw bulk --no-wait',
      'files in archive classes: ask for them, and make the moves by the same command later',
    ],
  ]);
};

async function restore(session: Session, name: string, options: RestoreOptions): Promise<number> {
  const choice = parsePartitionChoice(options.partitions);
  const forMs = pinSpanMs(options.for);
  const lake = await session.lake();
  const { identifier } = await findTable(lake, name);
  const table = await lake.catalog.loadTable(identifier);
  const policy = governingPolicy(await readPolicies(lake.config), matchedTable(table));
  const to = options.to ?? lake.config.tiers[0]?.name ?? '';
  const graceMs = policy?.graceMs ?? DEFAULT_GRACE_MS;
  const plan = await planRestore(lake, { table, partitions: choice, to, graceMs });
  if (plan.moves.length === 0) {
    const result = { table: name, state: 'already-there', to, partitions: plan.there };
    session.output.result(
      result,
      `${name}: these partitions lie in ${to} or hotter already. Nothing to move.`,
    );
    return EXIT.done;
  }
  const thaw = { speed: options.thaw, wait: options.wait };
  return carryOutBringBack(session, lake, plan, {
    forMs,
    dryRun: options.dryRun === true,
    gone: [],
    thaw,
  });
}
