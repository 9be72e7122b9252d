import { type BoundExpression, bind } from '../iceberg/expressions.ts';
import type { DataFile } from '../iceberg/manifest.ts';
import { fileMayMatch } from '../iceberg/pruning.ts';
import { isPrimitive, type NestedField } from '../iceberg/types.ts';
import type { ScanTask, TableScan } from '../table/scan.ts';
import type { WantedColumn } from './file-rows.ts';
import type { PartWish } from './parquet-part.ts';
import type { TableNeed } from './query-plan.ts';

/**
 * Which part of each data file a need asks for, by location. Delete files are not among them: they are read as a whole.
 *
 * @param keyColumns the columns of an equality delete file
 */
export function partWishes(
  scan: TableScan,
  need: TableNeed,
  keyColumns: (scan: TableScan, file: DataFile) => readonly WantedColumn[],
): ReadonlyMap<string, PartWish> {
  const bound = bind(need.filter, scan.schema);
  const fields = testedFields(bound);
  return new Map(
    scan.tasks.map((task): [string, PartWish] => {
      const keys = task.deletes
        .filter(({ dataFile }) => dataFile.content === 'equality-deletes')
        .flatMap(({ dataFile }) => keyColumns(scan, dataFile).map((column) => column.field.id));
      const mayMatter: NonNullable<PartWish['rowGroups']>['mayMatter'] = (metrics) =>
        fileMayMatch(bound, scan.schema, { ...withoutMetrics(task.dataFile), ...metrics });
      return [
        task.dataFile.filePath,
        {
          columns: new Set([...need.columns, ...keys]),
          // Positions count all rows of the file.
          ...(hasPositions(task) ? {} : { rowGroups: { fields, mayMatter } }),
        },
      ];
    }),
  );
}

const hasPositions = ({ deletes }: ScanTask): boolean =>
  deletes.some(({ dataFile }) => dataFile.content === 'position-deletes');

/** What the manifest tells is of the whole file. */
function withoutMetrics({
  content,
  filePath,
  fileFormat,
  partition,
  recordCount,
  fileSizeInBytes,
}: DataFile): DataFile {
  return { content, filePath, fileFormat, partition, recordCount, fileSizeInBytes };
}

/** The columns that an expression asks for. */
function testedFields(bound: BoundExpression): NestedField[] {
  if (bound.kind === 'and' || bound.kind === 'or') return [...new Set(bound.children.flatMap(testedFields))];
  return 'field' in bound && isPrimitive(bound.field.type) ? [bound.field] : [];
}
