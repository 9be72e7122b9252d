import { expect, it } from 'vitest';
import { DeleteIndex } from '../../src/iceberg/delete-index.ts';
import type { DataFile } from '../../src/iceberg/manifest.ts';
import type { PartitionSpec } from '../../src/iceberg/partition-spec.ts';

const DAYS: PartitionSpec = {
  'spec-id': 0,
  fields: [{ 'source-id': 1, 'field-id': 1000, name: 'day', transform: 'identity' }],
};
/** What is left of a v1 table's spec once its only field was dropped. */
const VOID: PartitionSpec = {
  'spec-id': 1,
  fields: [{ 'source-id': 1, 'field-id': 1000, name: 'day', transform: 'void' }],
};

const file = (
  filePath: string,
  content: DataFile['content'],
  partition: DataFile['partition'],
): DataFile => ({
  content,
  filePath,
  fileFormat: 'PARQUET',
  partition,
  recordCount: 1,
  fileSizeInBytes: 1,
  ...(content === 'equality-deletes' ? { equalityIds: [1] } : {}),
});

it('equality deletes of a spec of void fields hold for files of every spec', () => {
  const index = new DeleteIndex();
  index.add({ dataFile: file('d', 'equality-deletes', [null]), spec: VOID, sequenceNumber: 2 });
  expect(index.applicable(file('a', 'data', [7]), DAYS, 1)).toHaveLength(1);
});

it('equality deletes of a partition hold for that partition alone', () => {
  const index = new DeleteIndex();
  index.add({ dataFile: file('d', 'equality-deletes', [7]), spec: DAYS, sequenceNumber: 2 });
  expect(index.applicable(file('a', 'data', [7]), DAYS, 1)).toHaveLength(1);
  expect(index.applicable(file('b', 'data', [8]), DAYS, 1)).toHaveLength(0);
});
