import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { LakeConfig } from '../config.ts';
import { LakeError } from '../errors.ts';
import { policyFileSchema } from '../policy/policy-file.ts';
import { policyFindings } from '../policy/policy-findings.ts';
import { buildPolicySet, type PolicySet } from '../policy/policy-set.ts';
import { readTextFile } from '../project/text-file.ts';
import { byPlace, type Problem, readYaml, throwProblems, type YamlPath } from '../project/yaml-file.ts';

/**
 * The policies of a folder's files as one set, or every problem of every file, each with its position.
 *
 * @param files name to show, and content
 * @param tiers names of the lake's tiers, hottest first
 */
export function loadPolicies(
  files: readonly { readonly file: string; readonly text: string }[],
  tiers: readonly string[],
): { readonly set: PolicySet } | { readonly problems: readonly Problem[] } {
  const read = files.map(({ file, text }) => ({ file, ...readYaml(text, file, policyFileSchema) }));
  const problemAt = new Map(read.map((one) => [one.file, one.problemAt]));
  const problems = read.flatMap((one) => one.problems);
  for (const { file, path, message, hint } of policyFindings(read, tiers)) {
    const problem = problemAt.get(file)?.(path, message, hint);
    if (problem !== undefined) problems.push(problem);
  }
  if (problems.length > 0) return { problems: problems.sort(byPlace) };
  const placed = read.flatMap(({ file, value, problemAt: placeOf }) => {
    const where = (path: YamlPath) => {
      const { line, column } = placeOf(path, '');
      return `${file}:${line}:${column}`;
    };
    return value === undefined ? [] : [{ file, value, where }];
  });
  return { set: buildPolicySet(placed, tiers) };
}

/**
 * Reads all `*.yaml` and `*.yml` of the lake's policies folder (a missing folder is an empty set).
 *
 * @throws LakeError `invalid-file` with all problems, `unavailable` where a file cannot be read
 */
export async function readPolicies(config: LakeConfig): Promise<PolicySet> {
  const names = (await policyFileNames(config.policiesFolder)).sort();
  const files = await Promise.all(
    names.map(async (name) => {
      const path = join(config.policiesFolder, name);
      const file = relative(config.root, path);
      return { file, text: await readTextFile(path, file) };
    }),
  );
  const loaded = loadPolicies(
    files,
    config.tiers.map((tier) => tier.name),
  );
  if ('set' in loaded) return loaded.set;
  throwProblems(loaded.problems);
  throw new LakeError('internal', 'policies were refused without a problem');
}

async function policyFileNames(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => /\.ya?ml$/.test(name));
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return [];
    throw new LakeError('unavailable', `cannot read the policies folder ${folder}`, { where: folder, cause });
  }
}
