import type { CommandFactory } from '../command.ts';
import { withExamples } from '../command.ts';
import { addTableDelete } from './table/delete.ts';
import { addTableFiles } from './table/files.ts';
import { addTableHistory } from './table/history.ts';
import { addTableList } from './table/list.ts';
import { addTablePartitions } from './table/partitions.ts';
import { addTableBranch, addTableTag } from './table/refs.ts';
import { addTableSchema } from './table/schema.ts';
import { addTableShow } from './table/show.ts';

/** `lake table …`: what tables hold, how they came to be, and marks on their snapshots. */
export const addTable: CommandFactory = (parent, run) => {
  const table = parent.command('table').description('look into tables, tag snapshots, delete rows');
  for (const add of [
    addTableList,
    addTableShow,
    addTableSchema,
    addTableHistory,
    addTableFiles,
    addTablePartitions,
    addTableTag,
    addTableBranch,
    addTableDelete,
  ]) {
    add(table, run);
  }
  withExamples(table, [
    ['lake table show gold.fct_flight', 'columns, partitioning, snapshots and tags of one table'],
  ]);
};
