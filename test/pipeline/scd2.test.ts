import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DuckDbEngine, openDuckDb } from '../../src/engine/duckdb.ts';
import type { ModelFile } from '../../src/pipeline/model-file.ts';
import { checkChanges, resultSql } from '../../src/pipeline/result-sql.ts';
import { checkModel } from '../../src/pipeline/run-checks.ts';
import { testModel } from './models.ts';

interface Change {
  readonly key: string;
  /** Day of January 2001. */
  readonly at: number;
  readonly name: string | null;
  /** Not tracked. */
  readonly note: number;
  readonly gone: boolean;
}

interface Version {
  key: string;
  name: string | null;
  note: number;
  from: number;
  to: number | null;
}

/** The history as one tells it: change after change in the order of time. */
function tell(changes: readonly Change[]): Version[] {
  const history: Version[] = [];
  for (const { key, at, name, note, gone } of [...changes].sort((a, b) => a.at - b.at)) {
    const open = history.find((version) => version.key === key && version.to === null);
    if (open && !gone && open.name === name) open.note = note;
    else {
      if (open) open.to = at;
      if (!gone) history.push({ key, name, note, from: at, to: null });
    }
  }
  return history.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : a.from - b.from));
}

const day = (at: number) => `2001-01-${String(at).padStart(2, '0')}`;
const text = (value: string | null) => (value === null ? 'NULL::VARCHAR' : `'${value}'`);

function changesSql(changes: readonly Change[]): string {
  const rows = changes.map(
    ({ key, at, name, note, gone }) => `('${key}', DATE '${day(at)}', ${text(name)}, ${note}, ${gone})`,
  );
  return changes.length === 0
    ? `SELECT '' AS key, DATE '2001-01-01' AS since, ''::VARCHAR AS name, 1 AS note, false AS gone WHERE false`
    : `SELECT * FROM (VALUES ${rows.join(', ')}) AS v(key, since, name, note, gone)`;
}

const dimension = (sql: string, more: ModelFile['scd2'] = {}) =>
  testModel('gold.dim_thing', sql, {
    materialisation: 'scd2',
    key: ['key'],
    scd2: { effective_at: 'since', tracked: ['name'], deleted: 'gone', ...more },
  });

describe('scd2', () => {
  let engine: DuckDbEngine;
  beforeAll(async () => {
    engine = await openDuckDb({ tempDirectory: tmpdir(), threads: 1 });
    await engine.run('CREATE SCHEMA gold');
  });
  afterAll(() => engine.close());
  const checking = () => ({ engine, nowMs: 0, view: async () => undefined });

  const change = fc.record({
    key: fc.constantFrom('A', 'B', '|', 'A|'),
    at: fc.integer({ min: 1, max: 12 }),
    name: fc.constantFrom('x', 'y', null),
    note: fc.integer({ min: 0, max: 3 }),
    gone: fc.constantFrom(false, false, false, true),
  });
  const byMoment = ({ key, at }: Change) => `${key} ${at}`;

  it('is the history of all changes in order, in whatever order and however often they come', async () => {
    const told = fc
      .uniqueArray(change, { selector: byMoment, maxLength: 14 })
      .chain((changes) =>
        fc.tuple(
          fc.constant(changes),
          fc.shuffledSubarray(changes, { minLength: changes.length }),
          fc.subarray(changes),
        ),
      );
    await fc.assert(
      fc.asyncProperty(told, async ([changes, shuffled, again]) => {
        const model = dimension(changesSql([...shuffled, ...again]));
        await engine.run(`CREATE OR REPLACE VIEW gold.dim_thing AS ${await resultSql(engine, model)}`);
        const rows = await engine.all(
          `SELECT key, name, note::INT AS note, day(effective_from)::INT AS "from", day(effective_to)::INT AS "to"
           FROM gold.dim_thing ORDER BY key COLLATE "C", effective_from`,
        );
        expect(rows).toEqual(tell(changes));
        const results = [
          ...(await checkChanges(engine, model)),
          ...(await checkModel(checking(), model, 'alone')),
        ];
        expect(results.filter(({ passed }) => !passed)).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  it('has the documented surrogate key, which no two keys share', async () => {
    const sql = await resultSql(
      engine,
      dimension(changesSql([{ key: 'A|', at: 2, name: 'x', note: 1, gone: false }])),
    );
    const [row] = await engine.all(`SELECT thing_key, is_current FROM (${sql})`);
    const expected = createHash('md5').update('2:A||2001-01-02T00:00:00.000000').digest('hex');
    expect(row).toEqual({ thing_key: expected, is_current: true });
  });

  it('refuses two changes at one time unless it is said which counts', async () => {
    const both = [
      { key: 'A', at: 1, name: 'x', note: 1, gone: false },
      { key: 'A', at: 1, name: 'y', note: 2, gone: false },
    ];
    const [result] = await checkChanges(engine, dimension(changesSql(both)));
    expect(result).toMatchObject({ passed: false, failures: 1, rule: 'one change of key at a time' });
    const ordered = dimension(changesSql(both), { order_by: ['note'] });
    expect(await checkChanges(engine, ordered)).toEqual([]);
    expect(await engine.all(`SELECT name FROM (${await resultSql(engine, ordered)})`)).toEqual([
      { name: 'y' },
    ]);
  });

  it('proves its intervals: overlaps, gaps and a second current version are found', async () => {
    const model = testModel('gold.dim_thing', '', { materialisation: 'scd2', key: ['key'] });
    await engine.run(`CREATE OR REPLACE VIEW gold.dim_thing AS SELECT * FROM (VALUES
      ('1', 'A', DATE '2001-01-01', DATE '2001-01-05', false), ('2', 'A', DATE '2001-01-04', NULL, true),
      ('3', 'B', DATE '2001-01-01', DATE '2001-01-02', false), ('4', 'B', DATE '2001-01-03', NULL, true),
      ('5', 'C', DATE '2001-01-01', DATE '2001-01-02', true), ('6', 'C', DATE '2001-01-02', NULL, true)
    ) AS v(thing_key, key, effective_from, effective_to, is_current)`);
    const results = await checkModel(checking(), model, 'alone');
    expect(results.filter(({ passed }) => !passed).map(({ kind, failures }) => [kind, failures])).toEqual([
      ['scd2_intervals', 2],
      ['scd2_current', 1],
    ]);
  });

  it('refuses columns that the SQL does not give, no times, and names that it takes itself', async () => {
    const bad = (more: ModelFile['scd2']) => resultSql(engine, dimension(changesSql([]), more));
    await expect(bad({ tracked: ['nam'] })).rejects.toMatchObject({
      kind: 'invalid-file',
      hint: 'did you mean "name"?',
    });
    await expect(bad({ effective_at: 'note' })).rejects.toThrow(/"note" is INTEGER, no time/);
    await expect(bad({ effective_from: 'note' })).rejects.toThrow(/which the history makes itself/);
  });
});
