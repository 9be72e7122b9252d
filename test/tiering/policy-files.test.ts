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
    expect.stringMatching(/^6:.* no tier "wram"/),
    expect.stringMatching(/^8:.* does not lead to a colder tier than "cold"/),
    expect.stringMatching(/^9:5 "retention" is valid, but/),
    expect.stringMatching(/^10:1 .*legal holds/),
  ]);
});

test('problems of shape hide no problem of meaning, in this file or in another', () => {
  const problems = problemsOf(
    `version: 2
defaults: { grace: soon, snapshots: { max_agee: 7d, min_to_keep: 0 }, orphans: { older_than: 1h } }
policies:
  - nmae: facts
    match: { layer: golden }
    transitions:
      - { to: wram, after: 6m }
      - { to: cold, after: 60d, extra: 1 }
      - { to: warm, after: 50d }
  - { name: b, match: { tables: "gold.x" }, schedule: "0 2 * * *", age: { form: partition } }
`,
    `version: 1
version: 1
defaults: { grace: 2h }
policies:
  - { name: b, match: { layer: gold, tables: ["gold.*"] }, transitions: [ { to: hot, after: 1d } ] }
  - { name: c, match: { tables: ["gold.x"] } }
`,
    'version: 1\npolicies: [ { name: "d }\n',
  );
  expect(problems).toEqual([
    expect.stringMatching(/^1:1 version: 2 is not known/),
    expect.stringMatching(/^2:13 .*"soon" is no duration/),
    expect.stringMatching(/^2:39 unknown key "max_agee"/),
    expect.stringMatching(/^2:53 .*min_to_keep/),
    expect.stringMatching(/^2:82 "1h" is below the floor of 24h/),
    expect.stringMatching(/^4:5 "name" is missing/),
    expect.stringMatching(/^4:5 unknown key "nmae"/),
    expect.stringMatching(/^5:14 .*"golden" is not known/),
    expect.stringMatching(/^7:11 there is no tier "wram"/),
    expect.stringMatching(/^7:21 .*"6m" is no duration: write mo/),
    expect.stringMatching(/^8:33 unknown key "extra"/),
    expect.stringMatching(/^9:11 .*does not lead to a colder tier than "cold"/),
    expect.stringMatching(/^9:21 .*is not later/),
    expect.stringMatching(/^10:45 "schedule" is valid, but/),
    expect.stringMatching(/^10:75 unknown key "form"/),
    expect.stringMatching(/^2:1 not valid YAML/),
    expect.stringMatching(/^3:13 the default "grace" is set differently in p0.yaml/),
    expect.stringMatching(/^5:7 the policy name "b" is used twice/),
    expect.stringMatching(/^5:77 .*does not lead to a colder tier than "hot"/),
    expect.stringMatching(/^6:16 "c" and "b" .*both of priority 0, match gold.x/),
    expect.stringMatching(/^6:16 "c" and "b" .*both of priority 0, match gold.x/),
    ...Array(3).fill(expect.stringMatching(/^3:1 not valid YAML/)),
  ]);
});

test('ties that only some tables show, or that a higher policy decides, are no problem of the files', () => {
  const rules = (...lines: string[]) =>
    problemsOf(
      `version: 1\npolicies:\n${lines.map((line, at) => `  - { name: p${at}, ${line} }\n`).join('')}`,
    );
  expect(rules('match: { tables: "gold.a*" }', 'match: { tables: "gold.*b" }')).toEqual([]);
  expect(rules('match: { tables: "gold.a" }', 'match: { tables: "gold.a", tags: { x: y } }')).toEqual([]);
  expect(rules('match: { tables: "gold.a" }', 'match: { tables: "gold.*", exclude: "gold.a" }')).toEqual([]);
  expect(
    rules(
      'match: { tables: "gold.a" }',
      'match: { tables: "gold.*" }',
      'priority: 1, match: { layer: gold }',
    ),
  ).toEqual([]);
  expect(rules('match: { tables: "gold.*" }', 'match: { tables: "gold.*" }')).toHaveLength(1);
});

test('what expiry and orphan removal are to do is resolved, key by key over the defaults', () => {
  const loaded = loadPolicies(
    [
      {
        file: 'a.yaml',
        text: `version: 1
defaults: { snapshots: { min_to_keep: 5, max_age: 7d }, orphans: { older_than: 3d } }
policies:
  - { name: x, match: { tables: "gold.x" }, snapshots: { max_age: 1mo, max_ref_age: P1W } }
  - { name: y, match: { tables: "gold.y" }, orphans: { older_than: 48h } }
`,
      },
    ],
    TIERS,
  );
  if ('problems' in loaded) throw new Error('refused');
  const day = 86_400_000;
  expect(loaded.set.policies.map((one) => [one.snapshots, one.orphans, one.where])).toEqual([
    [{ minToKeep: 5, maxAgeMs: 30 * day, maxRefAgeMs: 7 * day }, { olderThanMs: 3 * day }, 'a.yaml:4:5'],
    [{ minToKeep: 5, maxAgeMs: 7 * day }, { olderThanMs: 2 * day }, 'a.yaml:5:5'],
  ]);
});

test.each([
  ['an unknown key', 'transition: []', /transition/],
  ['months written m', 'transitions: [ { to: warm, after: 6m } ]', /mo/],
  ['an age by something else', 'age: { from: rows }', /"rows" is not known/],
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
        text: 'version: 1\npolicies: [ { name: x, match: { layer: gold }, transitions: [] }, { name: y, match: {} } ]\n',
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
