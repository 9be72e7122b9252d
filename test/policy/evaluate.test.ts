import { expect, test } from 'vitest';
import { evaluatePolicies, type Holding, type TableState } from '../../src/policy/evaluate.ts';
import { loadPolicies } from '../../src/tiering/policy-files.ts';

const TIERS = ['hot', 'warm', 'cold'];
const NOW = Date.parse('2001-07-01T00:00:00Z');

function policies(...texts: string[]) {
  const loaded = loadPolicies(
    texts.map((text, at) => ({ file: `p${at}.yaml`, text: `version: 1\n${text}` })),
    TIERS,
  );
  if ('problems' in loaded) throw new Error(loaded.problems.map((one) => one.message).join('; '));
  return loaded.set;
}

const FACTS = `policies:
  - { name: facts, match: { tables: ["gold.fct_*"] }, age: { from: partition },
      transitions: [ { to: warm, after: 30d }, { to: cold, after: 3mo } ] }
`;

function holding(day: string, tier: string): Holding {
  const endMs = Date.parse(`${day}T00:00:00Z`) + 86_400_000;
  return {
    partition: `day=${day}`,
    tier,
    files: 2,
    bytes: 100,
    records: 10,
    endMs,
    paths: [`${day}/a`, `${day}/b`],
  };
}

function table(name: string, ...holdings: Holding[]): TableState {
  return { table: name, tags: {}, cannotAge: null, pins: [], holdings };
}

test('a partition moves when the end of its range is old enough, to the coldest tier that is due', () => {
  const state = table(
    'gold.fct_flight',
    holding('2001-03-30', 'hot'),
    holding('2001-03-31', 'hot'),
    holding('2001-05-31', 'hot'),
    holding('2001-06-01', 'hot'),
    holding('2001-01-01', 'cold'),
    holding('2001-03-01', 'warm'),
  );
  const plan = evaluatePolicies(policies(FACTS), [state], NOW);
  expect(plan.moves.map((move) => [move.partition, move.from, move.to])).toEqual([
    ['day=2001-03-30', 'hot', 'cold'],
    ['day=2001-03-31', 'hot', 'cold'],
    ['day=2001-05-31', 'hot', 'warm'],
    ['day=2001-03-01', 'warm', 'cold'],
  ]);
  expect(plan.kept.map((kept) => [kept.partition, kept.reason])).toEqual([
    ['day=2001-06-01', 'facts: warm after 30d, on 2001-07-02'],
    ['day=2001-01-01', 'facts: nothing colder is due'],
  ]);
  expect(plan.tables).toEqual([{ table: 'gold.fct_flight', policy: 'facts', grace_ms: 86_400_000 }]);
});

test('what a policy moved stays where it is when the plan is made again', () => {
  const state = table('gold.fct_flight', holding('2001-03-30', 'cold'), holding('2001-05-31', 'warm'));
  expect(evaluatePolicies(policies(FACTS), [state], NOW).moves).toEqual([]);
});

test('the highest priority governs; a tie is an error that names both', () => {
  const other = (priority: number) => `policies:
  - { name: keep, priority: ${priority}, match: { layer: gold } }
`;
  const state = table('gold.fct_flight', holding('2001-01-01', 'hot'));
  expect(evaluatePolicies(policies(FACTS, other(5)), [state], NOW).moves).toEqual([]);
  expect(evaluatePolicies(policies(FACTS, other(-1)), [state], NOW).moves).toHaveLength(1);
  expect(() => evaluatePolicies(policies(FACTS, other(0)), [state], NOW)).toThrow(
    /"facts" \(p0.yaml\) and "keep"/,
  );
});

test('a pattern is a whole name, and its other characters mean themselves', () => {
  const set = policies(FACTS);
  const day = holding('2001-01-01', 'hot');
  for (const name of ['xgold.fct_a', 'goldxfct_a', 'silver.fct_a']) {
    expect(evaluatePolicies(set, [table(name, day)], NOW).moves).toEqual([]);
  }
});

test('a table whose partitions tell no time is an error for a policy with transitions', () => {
  const unaged = {
    ...table('gold.fct_x', { ...holding('2001-01-01', 'hot'), endMs: null }),
    cannotAge: 'its partitions tell no time',
  };
  expect(() => evaluatePolicies(policies(FACTS), [unaged], NOW)).toThrow(/tell no time/);
});

test('tags and layer narrow a match', () => {
  const set = policies(`policies:
  - { name: sales, match: { layer: [gold, silver], tags: { domain: [sales, crm] } },
      transitions: [ { to: warm, after: 1d } ] }
`);
  const tagged = { ...table('silver.a', holding('2001-01-01', 'hot')), tags: { domain: 'crm' } };
  const other = { ...table('silver.b', holding('2001-01-01', 'hot')), tags: { domain: 'hr' } };
  expect(evaluatePolicies(set, [tagged, other], NOW).moves.map((move) => move.table)).toEqual(['silver.a']);
});
