import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DuckDbEngine, openDuckDb } from '../../src/engine/duckdb.ts';
import { type Checking, checkModel, throwFailedChecks } from '../../src/pipeline/run-checks.ts';
import { testModel } from './models.ts';

describe('checks', () => {
  let engine: DuckDbEngine;
  beforeAll(async () => {
    engine = await openDuckDb({ tempDirectory: tmpdir(), threads: 1 });
    await engine.run(`CREATE SCHEMA gold; CREATE TABLE gold.t AS
      SELECT * FROM (VALUES (1, 'a', 5), (1, 'b', NULL), (NULL, 'c', 11), (NULL, 'd', 10)) AS v(id, "it's", n)`);
  });
  afterAll(() => engine.close());
  const checking: Checking = {
    get engine() {
      return engine;
    },
    nowMs: Date.UTC(2001, 6, 1),
    view: async () => undefined,
  };

  it('finds duplicates, nulls, values out of range and out of the list, and lets nulls pass where they should', async () => {
    const model = testModel('gold.t', '', {
      key: ['id'],
      columns: [
        { name: "it's", checks: [{ accepted_values: ['a', 'b', 'c', "d'"] }, 'unique', 'not_null'] },
        { name: 'n', checks: [{ accepted_range: { min: 5, max: 10 } }] },
      ],
    });
    const results = await checkModel(checking, model, 'alone');
    expect(results.map(({ rule, failures }) => [rule, failures])).toEqual([
      ['id is unique', 1],
      ['id is not null', 2],
      ["it's in ('a', 'b', 'c', 'd''')", 1],
      ["it's is unique", 0],
      ["it's is not null", 0],
      ['n between 5 and 10', 1],
    ]);
    expect(results[0]?.samples).toEqual([{ id: 1, count: expect.anything() }]);
    expect(() => throwFailedChecks(results, 'nothing was published')).toThrow(
      expect.objectContaining({ kind: 'check-failed', message: expect.stringContaining('4 checks failed') }),
    );
  });

  it('refuses a check on a column that is not there', async () => {
    const model = testModel('gold.t', '', { columns: [{ name: 'its', checks: ['not_null'] }] });
    await expect(checkModel(checking, model, 'alone')).rejects.toMatchObject({
      kind: 'invalid-file',
      hint: 'did you mean "it\'s"?',
    });
  });
});
