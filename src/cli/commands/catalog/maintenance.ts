import { Argument } from 'commander';
import type { CommandFactory } from '../../command.ts';
import { withExamples } from '../../command.ts';
import type { Session } from '../../session.ts';
import { timeText } from '../../units.ts';

const SWITCHES = ['on', 'off', 'status'] as const;

interface Answer {
  readonly on: boolean;
  readonly 'since-ms'?: number;
  readonly reason?: string;
}

/** `lake catalog maintenance on|off|status` */
export const addCatalogMaintenance: CommandFactory = (parent, run) => {
  const command = parent
    .command('maintenance')
    .description('let every server of the catalog answer reads and refuse changes (503), or take them again')
    .addArgument(new Argument('<switch>', 'what to do').choices(SWITCHES))
    .option('--reason <text>', 'told to those who are refused')
    .action((to: (typeof SWITCHES)[number], options: { reason?: string }) =>
      run((session) => switchMaintenance(session, to, options.reason)),
    );
  withExamples(command, [
    [
      'lake catalog maintenance on --reason "upgrade until 14:00"',
      'when it returns, no change is applied any more',
    ],
    ['lake catalog maintenance off', 'changes are taken again'],
  ]);
};

async function switchMaintenance(
  session: Session,
  to: (typeof SWITCHES)[number],
  reason: string | undefined,
): Promise<void> {
  const { catalog } = await session.lake();
  const answer =
    to === 'status'
      ? await catalog.extension<Answer>('GET', '/lake/v1/maintenance')
      : await catalog.extension<Answer>('POST', '/lake/v1/maintenance', {
          on: to === 'on',
          ...(reason === undefined ? {} : { reason }),
        });
  const { on, 'since-ms': sinceMs, reason: told } = answer;
  session.output.result(
    {
      maintenance: on,
      ...(sinceMs === undefined ? {} : { since: new Date(sinceMs).toISOString() }),
      ...(told === undefined ? {} : { reason: told }),
    },
    on
      ? `The catalog is in maintenance since ${timeText(sinceMs)}${told === undefined ? '' : ` (${told})`}: it takes no changes.`
      : 'The catalog takes changes.',
  );
}
