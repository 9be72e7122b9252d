import { expect, test } from 'vitest';
import { policyJsonSchema } from '../../src/policy/policy-file.ts';
import { loadPolicies } from '../../src/tiering/policy-files.ts';

const TIERS = ['hot', 'warm', 'cold'];

function problemsOf(...texts: string[]): string[] {
  const loaded = loadPolicies(
    texts.map((text, at) => ({ file: `p${at}.yaml`, text })),
    TIERS,
  );
  return 'problems' in loaded ? loaded.problems.map((one) => `${one.line}:${one.column} ${one.message}`) : [];
}

test('every problem of a file at once, each where it stands', () => {
  const problems = problemsOf(`version: 1
policies:
  - name: facts
    match: { tables: ["gold.fct_*"] }
    transitions:
      - { to: wram, after: 30d }
      - { to: cold, after: 60d }
      - { to: warm, after: 90d }
    retention: { delete_after: 7y }
holds:
  - { name: audit, tables: ["gold.*"], reason: "x" }
`);
  expect(problems).toEqual([
    expect.stringMatching(/^10:1 .*legal holds/),
    expect.stringMatching(/^9:5 "retention" is valid, but/),
    expect.stringMatching(/^6:.* no tier "wram"/),
    expect.stringMatching(/^8:.* does not lead to a colder tier than "cold"/),
  ]);
});

test.each([
  ['an unknown key', 'transition: []', /transition/],
  ['months written m', 'transitions: [ { to: warm, after: 6m } ]', /mo/],
  ['an age by column', 'age: { column: ts }', /does not act on it/],
  ['an age by commit', 'age: { from: commit }', /does not act on it/],
  ['a move to the hottest tier', 'transitions: [ { to: hot, after: 1d } ]', /colder/],
  ['a schedule', 'schedule: "0 2 * * *"', /does not act on it/],
  [
    'transitions out of order',
    'transitions: [ { to: warm, after: 9d }, { to: cold, after: 9d } ]',
    /not later/,
  ],
])('%s is refused', (_what, line, message) => {
  const problems = problemsOf(`version: 1\npolicies:\n  - name: a\n    match: {}\n    ${line}\n`);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toMatch(message);
});

test('a name in two files and a default that differs are found', () => {
  const text = (grace: string) =>
    `version: 1\ndefaults: { grace: ${grace} }\npolicies: [ { name: a, match: {} } ]\n`;
  expect(problemsOf(text('1h'), text('2h'))).toEqual([
    expect.stringContaining('default "grace" is set differently in p0.yaml'),
    expect.stringContaining('"a" is used twice'),
  ]);
});

test('defaults are inherited key by key, over all files', () => {
  const loaded = loadPolicies(
    [
      {
        file: 'a.yaml',
        text: 'version: 1\ndefaults: { grace: 2h, transitions: [ { to: warm, after: 5d } ] }\n',
      },
      {
        file: 'b.yaml',
        text: 'version: 1\npolicies: [ { name: x, match: {}, transitions: [] }, { name: y, match: {} } ]\n',
      },
    ],
    TIERS,
  );
  if ('problems' in loaded) throw new Error('refused');
  expect(loaded.set.policies.map((one) => [one.graceMs, one.transitions.length])).toEqual([
    [7_200_000, 0],
    [7_200_000, 1],
  ]);
});

test('policies/policy.schema.json is what the code says', async () => {
  await expect(`${JSON.stringify(policyJsonSchema(), null, 2)}\n`).toMatchFileSnapshot(
    '../../policies/policy.schema.json',
  );
});
