import type { CommandFactory } from '../command.ts';
import { withExamples } from '../command.ts';
import { addTableAlter } from './table/alter.ts';
import { addTableCherryPick } from './table/cherry-pick.ts';
import { addTableDelete } from './table/delete.ts';
import { addTableDrop } from './table/drop.ts';
import { addTableFiles } from './table/files.ts';
import { addTableHistory } from './table/history.ts';
import { addTableList } from './table/list.ts';
import { addTablePartitions } from './table/partitions.ts';
import { addTablePublish } from './table/publish.ts';
import { addTablePurge } from './table/purge.ts';
import { addTableBranch, addTableTag } from './table/refs.ts';
import { addTableRollback } from './table/rollback.ts';
import { addTableSchema } from './table/schema.ts';
import { addTableShow } from './table/show.ts';
import { addTableUndrop } from './table/undrop.ts';

/** `lake table …`: what tables hold, how they came to be, and changes to them. */
export const addTable: CommandFactory = (parent, run) => {
  const table = parent
    .command('table')
    .description('look into tables and change them: rows, columns, branches, tags');
  for (const add of [
    addTableList,
    addTableShow,
    addTableSchema,
    addTableHistory,
    addTableFiles,
    addTablePartitions,
    addTableTag,
    addTableBranch,
    addTablePublish,
    addTableCherryPick,
    addTableRollback,
    addTableDelete,
    addTableAlter,
    addTableDrop,
    addTableUndrop,
    addTablePurge,
  ]) {
    add(table, run);
  }
  withExamples(table, [
    ['lake table show gold.fct_flight', 'columns, partitioning, snapshots and tags of one table'],
  ]);
};
