import type { ExpiredFrom, ExpireReport, ExpireTarget } from '../../maintenance/expire.ts';
import { expireTables } from '../../maintenance/expire.ts';
import { expireTarget } from '../../maintenance/targets.ts';
import { allTables } from '../../tiering/all-tables.ts';
import { readPolicies } from '../../tiering/policy-files.ts';
import { rememberCommitTimes } from '../../tiering/remember-commit-times.ts';
import type { CommandFactory } from '../command.ts';
import { withExamples } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { findTable } from '../find-table.ts';
import { refusedExit, refusedLines, tierProgress } from '../maintenance-text.ts';
import { textTable } from '../output.ts';
import type { Session } from '../session.ts';
import { bytesText, countText } from '../units.ts';

interface ExpireOptions {
  readonly dryRun?: boolean;
  readonly exitCode?: boolean;
}

/** `lake expire [TABLE…]`: takes old snapshots, branches and tags away, and the files that only they read. */
export const addExpire: CommandFactory = (parent, run) => {
  const command = parent
    .command('expire')
    .description('take away old snapshots, branches and tags, and the files that only they read')
    .argument('[table...]', 'only these tables')
    .option('--dry-run', 'say what would go, and change nothing')
    .option('--exit-code', 'with --dry-run: exit with 3 if something would go')
    .action((tables: string[], options: ExpireOptions) => run((session) => expire(session, tables, options)));
  withExamples(command, [
    ['lake expire --dry-run', 'what would go from each table: snapshots, refs, files and bytes'],
    ['lake expire gold.fct_flight --yes', 'one table, without being asked'],
  ]);
};

async function expire(session: Session, names: readonly string[], options: ExpireOptions): Promise<number> {
  const lake = await session.lake();
  const policies = await readPolicies(lake.config);
  const targets = await expireTargets(session, names, policies);
  const work = { progress: tierProgress(session) };
  const planned = await expireTables(lake, targets, session.policyNow, { ...work, dryRun: true });
  session.progress.stop();
  if (options.dryRun === true) {
    session.output.result(planned, reportText(planned, 'would go'));
    if (planned.refused.length > 0) return refusedExit(planned.refused);
    return options.exitCode === true && planned.tables.length > 0 ? EXIT.changesPending : EXIT.done;
  }
  if (planned.tables.length === 0) {
    session.output.result(planned, reportText(planned, 'went'));
    return refusedExit(planned.refused);
  }
  session.output.note(`${reportText(planned, 'would go')}\n`);
  await session.confirm('Take these snapshots away? They cannot be brought back.');
  await rememberCommitTimes(lake, policies);
  const report = await expireTables(lake, targets, session.policyNow, work);
  session.progress.stop();
  session.output.result(report, reportText(report, 'went'));
  return refusedExit(report.refused);
}

async function expireTargets(
  session: Session,
  names: readonly string[],
  policies: Awaited<ReturnType<typeof readPolicies>>,
): Promise<ExpireTarget[]> {
  const lake = await session.lake();
  const targets: ExpireTarget[] = [];
  for (const name of new Set(names)) {
    const { identifier } = await findTable(lake, name);
    targets.push(expireTarget(policies, await lake.catalog.loadTable(identifier)));
  }
  if (names.length > 0) return targets;
  for await (const table of allTables(lake.catalog)) targets.push(expireTarget(policies, table));
  return targets;
}

function reportText(report: ExpireReport, verb: string): string {
  const lines: string[] = [];
  if (report.tables.length > 0) {
    const rows = report.tables.map((one) => ({ ...one, count: one.snapshots.length }));
    lines.push(
      textTable(rows, [
        { key: 'table' },
        { key: 'count', heading: 'snapshots', align: 'right', format: countText },
        { key: 'refs', format: refsText },
        { key: 'files', align: 'right', format: countText },
        { key: 'bytes', align: 'right', format: bytesText },
        { key: 'policy', format: (policy) => (policy === null ? '(table properties)' : String(policy)) },
      ]),
      '',
      totalText(report.tables, verb),
    );
  } else if (report.refused.length === 0) lines.push('Nothing to expire.');
  return [...lines, ...refusedLines(report.refused, 'not expired')].join('\n');
}

function refsText(refs: unknown): string {
  return Array.isArray(refs) && refs.length > 0 ? refs.join(', ') : '-';
}

function totalText(tables: readonly ExpiredFrom[], verb: string): string {
  const sum = (of: (one: ExpiredFrom) => number) => tables.reduce((total, one) => total + of(one), 0);
  const snapshots = countText(sum((one) => one.snapshots.length));
  return `${snapshots} snapshots ${verb}, and with them ${countText(sum((one) => one.files))} files, ${bytesText(sum((one) => one.bytes))}.`;
}
