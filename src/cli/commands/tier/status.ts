import { readPolicies } from '../../../tiering/policy-files.ts';
import { tierStatus } from '../../../tiering/status.ts';
import type { CommandFactory } from '../../command.ts';
import { withExamples } from '../../command.ts';
import type { Session } from '../../session.ts';
import { bytesText, countText } from '../../units.ts';

/** `lake tier status`: what lies in which tier, partition by partition. */
export const addTierStatus: CommandFactory = (parent, run) => {
  const command = parent
    .command('status')
    .description('what lies in which tier; --output json has every partition')
    .option('--partitions', 'a line for every partition instead of one for each tier')
    .action((options: { partitions?: boolean }) =>
      run((session) => status(session, options.partitions === true)),
    );
  withExamples(command, [
    ['lake tier status', 'tables and tiers with files, bytes and rows'],
    ['lake tier status --partitions --now 2001-07-01', 'every partition, aged as of that day'],
  ]);
};

async function status(session: Session, partitions: boolean): Promise<void> {
  const lake = await session.lake();
  const rows = await tierStatus(lake, await readPolicies(lake.config), session.policyNow);
  const counts = [
    { key: 'files', align: 'right', format: countText },
    { key: 'bytes', align: 'right', format: bytesText },
    { key: 'records', align: 'right', format: countText },
  ] as const;
  const empty = 'There is no data yet: `lake run` builds the tables.';
  if (session.output.format !== 'text') {
    await session.output.rows(rows);
  } else if (partitions) {
    const columns = [
      { key: 'table' },
      { key: 'partition' },
      { key: 'tier' },
      ...counts,
      { key: 'age_days', heading: 'age (days)', align: 'right' } as const,
      { key: 'policy' },
    ];
    await session.output.rows(rows, { columns, empty });
  } else {
    const columns = [
      { key: 'table' },
      { key: 'tier' },
      { key: 'partitions', align: 'right' } as const,
      ...counts,
      { key: 'policy' },
    ];
    await session.output.rows(sumByTier(rows), { columns, empty });
  }
}

type StatusRow = Awaited<ReturnType<typeof tierStatus>>[number];

function sumByTier(rows: readonly StatusRow[]): object[] {
  const sums = new Map<
    string,
    {
      table: string;
      tier: string;
      policy: string | null;
      partitions: number;
      files: number;
      bytes: number;
      records: number;
    }
  >();
  for (const { table, tier, policy, files, bytes, records } of rows) {
    const key = JSON.stringify([table, tier]);
    const sum = sums.get(key) ?? { table, tier, policy, partitions: 0, files: 0, bytes: 0, records: 0 };
    sums.set(key, {
      ...sum,
      partitions: sum.partitions + 1,
      files: sum.files + files,
      bytes: sum.bytes + bytes,
      records: sum.records + records,
    });
  }
  return [...sums.values()];
}
