import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { LakeError } from '../../src/errors.ts';
import { formatProblem, parseYamlFile, throwProblems } from '../../src/project/yaml-file.ts';

const schema = z.strictObject({
  version: z.literal(1),
  tiers: z.record(z.string(), z.strictObject({ location: z.string() })).optional(),
  checks: z
    .array(z.union([z.enum(['unique']), z.strictObject({ range: z.strictObject({ min: z.number() }) })]))
    .optional(),
});

const problemsOf = (text: string, env?: Record<string, string>) => {
  const parsed = parseYamlFile(text, 'a.yaml', schema, env === undefined ? {} : { env });
  return Array.isArray(parsed) ? parsed.map(formatProblem) : [];
};

describe('parseYamlFile', () => {
  it('reports every problem at once, each where it stands, unknown keys with the nearest one', () => {
    const text = 'version: 2\ntiers:\n  hot: { locaton: x }\nnmae: y\n';
    const problems = problemsOf(text);
    expect(problems.some((p) => p.startsWith('a.yaml:1:1: version'))).toBe(true);
    expect(
      problems.some((p) => /^a\.yaml:3:10: unknown key "locaton" \(did you mean "location"\?\)$/.test(p)),
    ).toBe(true);
    expect(problems.some((p) => /^a\.yaml:3:3: "location" is missing/.test(p))).toBe(true);
    expect(problems.some((p) => p.startsWith('a.yaml:4:1: unknown key "nmae"'))).toBe(true);
  });

  it('says what is wrong inside a union instead of only that nothing fits', () => {
    expect(problemsOf('version: 1\nchecks:\n  - range: { min: a }\n')[0]).toMatch(
      /^a\.yaml:3:14: checks\.0\.range\.min/,
    );
  });

  it('gives broken syntax a position and a way out', () => {
    expect(problemsOf('version: 1\ntiers: "open\n')[0]).toMatch(
      /^a\.yaml:\d+:\d+: not valid YAML: .+\(.+\)$/,
    );
    expect(problemsOf('version: 1\nversion: 1\n')[0]).toContain('keep one of the two');
    expect(problemsOf('')).not.toEqual([]);
  });

  it('puts environment variables into quoted strings and names a missing one', () => {
    const text = 'version: 1\ntiers:\n  hot: { location: "${WHERE}/x" }\n';
    const parsed = parseYamlFile(text, 'a.yaml', schema, { env: { WHERE: '/data' } });
    expect(parsed).toMatchObject({ value: { tiers: { hot: { location: '/data/x' } } } });
    expect(problemsOf(text, {})).toEqual([
      'a.yaml:3:20: the environment variable WHERE is not set (export WHERE=… before you run lake)',
    ]);
    expect(
      problemsOf(text.replaceAll('"', "'").replace("'${WHERE}/x'", '$' + '{WHERE}x'), { WHERE: 'y' }),
    ).not.toEqual([]);
  });

  it('throws one error that carries all problems', () => {
    const parsed = parseYamlFile('version: 2\nx: 1\n', 'a.yaml', schema);
    const problems = Array.isArray(parsed) ? parsed : [];
    expect(() => throwProblems(problems)).toThrow(LakeError);
    expect(() => throwProblems(problems)).toThrow(/2 problems:\na\.yaml:1:1: .*\na\.yaml:2:1: /);
    expect(() => throwProblems([])).not.toThrow();
  });
});
