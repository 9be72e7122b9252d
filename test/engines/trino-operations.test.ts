import { afterAll, beforeAll, it } from 'vitest';
import { BothEngines, trinoRefusal } from './both-engines.ts';
import { MatrixPart } from './matrix.ts';
import { testColumns } from './operations/columns.ts';
import { testHistory } from './operations/history.ts';
import { OperationTests } from './operations/operation-tests.ts';
import { testPartitioning } from './operations/partitioning.ts';
import { testRows } from './operations/rows.ts';
import { testTables } from './operations/tables.ts';
import { withStack } from './stack.ts';

const NAMESPACE = 'trino_operations';

withStack('operations of Trino', () => {
  let both: BothEngines;
  const matrix = new MatrixPart({
    name: 'trino',
    engine: 'Trino 476',
    part: 'operations',
    refusal: trinoRefusal,
  });
  const tests = new OperationTests(NAMESPACE, matrix, () => both);

  beforeAll(async () => {
    both = await BothEngines.open(NAMESPACE);
  });
  afterAll(() => both.close());

  testRows(tests);
  testColumns(tests);
  testPartitioning(tests);
  testHistory(tests);
  testTables(tests);

  it('has seen all of its matrix', () => matrix.finish());
});
