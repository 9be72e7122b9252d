import { deleteWhere } from '../../../table/delete.ts';
import type { CommandFactory } from '../../command.ts';
import { withExamples } from '../../command.ts';
import { findTable } from '../../find-table.ts';
import { openEngine } from '../../query-engine.ts';
import type { Session } from '../../session.ts';
import { countText } from '../../units.ts';

interface Options {
  readonly where: string;
  readonly branch?: string;
}

/** `lake table delete TABLE --where EXPR`: rows leave the current table; older snapshots and tags keep them. */
export const addTableDelete: CommandFactory = (parent, run) => {
  const command = parent
    .command('delete')
    .description('delete rows; older snapshots and tags still show them')
    .argument('<table>', 'NAMESPACE.TABLE')
    .requiredOption('--where <expr>', 'which rows, as in SQL')
    .option('--branch <name>', 'delete on a branch alone (made at main if it is not there)')
    .action((name: string, options: Options) => run((session) => deleteRows(session, name, options)));
  withExamples(command, [
    [
      `lake table delete gold.fct_flight --where "delay > 1200"`,
      'files whose rows all match go by metadata alone',
    ],
  ]);
};

async function deleteRows(session: Session, name: string, options: Options): Promise<void> {
  const lake = await session.lake();
  const { identifier } = await findTable(lake, name);
  const engine = await openEngine(lake);
  try {
    const done = await deleteWhere(lake, engine, identifier, options);
    const result = {
      table: name,
      deleted_records: done.deletedRecords,
      removed_files: done.removedFiles,
      delete_files: done.deleteFiles,
      rewritten_files: done.rewrittenFiles,
      snapshot: done.snapshotId?.toString() ?? null,
    };
    session.output.result(result, deletedText(result));
  } finally {
    await engine.close();
  }
}

function deletedText(result: {
  table: string;
  deleted_records: number;
  removed_files: number;
  delete_files: number;
  rewritten_files: number;
}): string {
  if (result.deleted_records === 0) return `No row of ${result.table} matches: nothing was changed.`;
  const how = [
    ...(result.removed_files > 0 ? [`${countText(result.removed_files)} whole files`] : []),
    ...(result.delete_files > 0 ? [`${countText(result.delete_files)} new delete files`] : []),
    ...(result.rewritten_files > 0 ? [`${countText(result.rewritten_files)} files written anew`] : []),
  ];
  return `Deleted ${countText(result.deleted_records)} rows of ${result.table} (${how.join(', ')}). Older snapshots and tags still show them.`;
}
