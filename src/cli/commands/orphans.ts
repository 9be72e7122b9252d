import { LakeError } from '../../errors.ts';
import {
  DEFAULT_ORPHAN_AGE_MS,
  LEAST_ORPHAN_AGE_MS,
  type OrphansReport,
  removeOrphans,
} from '../../maintenance/orphans.ts';
import { policyOf } from '../../maintenance/targets.ts';
import { durationMs, parseDuration } from '../../policy/duration.ts';
import { readPolicies } from '../../tiering/policy-files.ts';
import type { CommandFactory } from '../command.ts';
import { withExamples } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { findTable } from '../find-table.ts';
import { refusedExit, refusedLines, tierProgress } from '../maintenance-text.ts';
import { textTable } from '../output.ts';
import type { Session } from '../session.ts';
import { bytesText, countText, timeText } from '../units.ts';

interface OrphanCommandOptions {
  readonly olderThan?: string;
  readonly dropped?: boolean;
  readonly dryRun?: boolean;
  readonly exitCode?: boolean;
}

/** `lake orphans [TABLE…]`: deletes files in tables' folders that nothing names. */
export const addOrphans: CommandFactory = (parent, run) => {
  const command = parent
    .command('orphans')
    .description("delete files in tables' folders that no table names")
    .argument('[table...]', 'only these tables (without: all, and what lies below the tiers besides)')
    .option('--older-than <age>', "only files older than this, at least 24h (default: the policy's, else 3d)")
    .option(
      '--dropped',
      'also folders below the tiers that belong to no table, nor to a view or a dropped table that can come back',
    )
    .option('--dry-run', 'say what would go, and change nothing')
    .option('--exit-code', 'with --dry-run: exit with 3 if something would go')
    .action((tables: string[], options: OrphanCommandOptions) =>
      run((session) => orphans(session, tables, options)),
    );
  withExamples(command, [
    ['lake orphans --dry-run', 'what would go from each table, and what else lies below the tiers'],
    ['lake orphans silver.flights --older-than 7d --yes', 'one table, without being asked'],
  ]);
};

async function orphans(
  session: Session,
  names: readonly string[],
  options: OrphanCommandOptions,
): Promise<number> {
  const asked = options.olderThan === undefined ? undefined : ageOf(options.olderThan);
  const lake = await session.lake();
  const policies = await readPolicies(lake.config);
  for (const name of names) await findTable(lake, name);
  const fallback = asked ?? DEFAULT_ORPHAN_AGE_MS;
  const work = {
    progress: tierProgress(session),
    olderThanMs: (table: Parameters<typeof policyOf>[1]) =>
      asked ?? policyOf(policies, table)?.orphans?.olderThanMs ?? fallback,
    droppedOlderThanMs: fallback,
    dropped: options.dropped === true,
    ...(names.length === 0 ? {} : { tables: names }),
  };
  const planned = await removeOrphans(lake, { ...work, dryRun: true });
  session.progress.stop();
  const pending = isPending(planned, work.dropped);
  if (options.dryRun === true || !pending) {
    session.output.result(planned, reportText(planned, 'to delete'));
    if (planned.refused.length > 0) return refusedExit(planned.refused);
    return options.exitCode === true && pending ? EXIT.changesPending : EXIT.done;
  }
  session.output.note(`${reportText(planned, 'to delete')}\n`);
  await session.confirm('Delete these files? They cannot be brought back.');
  const report = await removeOrphans(lake, work);
  session.progress.stop();
  session.output.result(report, reportText(report, 'deleted'));
  return refusedExit(report.refused);
}

/** @throws LakeError `usage` for what is no duration, or less than a day */
function ageOf(text: string): number {
  const ageMs = durationMs(parseDuration(text));
  if (ageMs >= LEAST_ORPHAN_AGE_MS) return ageMs;
  throw new LakeError('usage', `--older-than ${text} is less than 24 hours`, {
    hint: 'Files of a write that is not committed yet look like orphans: name 24h or more. Nothing was deleted.',
  });
}

function isPending(report: OrphansReport, dropped: boolean): boolean {
  const folders = dropped && report.dropped.some((one) => one.state === 'deletable');
  return folders || report.tables.some((one) => one.files > 0);
}

function reportText(report: OrphansReport, verb: string): string {
  const tables = report.tables.filter((one) => one.files > 0);
  const lines = tables.length === 0 ? [`No orphans in ${countText(report.tables.length)} tables.`] : [];
  if (tables.length > 0) {
    const rows = tables.map((one) => ({ ...one, example: one.examples[0] }));
    lines.push(
      textTable(rows, [
        { key: 'table' },
        { key: 'listed', align: 'right', format: countText },
        { key: 'files', heading: verb, align: 'right', format: countText },
        { key: 'bytes', align: 'right', format: bytesText },
        { key: 'example' },
      ]),
    );
  }
  for (const { table, unknown } of report.tables) {
    for (const location of unknown)
      lines.push(`${table}: stays, as no table writer makes such a file: ${location}`);
  }
  if (report.dropped.length > 0) {
    lines.push('', 'Below the tiers and of no table', textTable(report.dropped, FOLDER_COLUMNS));
    if (report.dropped.some((one) => one.state === 'deletable')) {
      lines.push('Delete what is deletable there with: lake orphans --dropped');
    }
  }
  return [...lines, ...refusedLines(report.refused, 'not judged')].join('\n');
}

const FOLDER_COLUMNS = [
  { key: 'location' },
  { key: 'objects', align: 'right', format: countText },
  { key: 'bytes', align: 'right', format: bytesText },
  { key: 'newest_ms', heading: 'newest', format: timeText },
  { key: 'state' },
] as const;
