import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { version as engineVersion } from '@duckdb/node-api';
import { LakeError } from '../errors.ts';
import { nearestName } from '../iceberg/schema.ts';
import { readTextFile } from '../project/text-file.ts';
import { type ParsedYaml, type Problem, parseYamlFile, throwProblems } from '../project/yaml-file.ts';
import { LAYERS, type Layer, type Model } from './model.ts';
import { type ModelFile, modelFile } from './model-file.ts';

/**
 * Reads every model below `folder` (`bronze|silver|gold/NAME.sql` with `NAME.yml` beside it).
 *
 * @param root the project's folder; paths in messages are relative to it
 * @returns the models by layer, then name; empty where the folder is not there
 * @throws LakeError `invalid-file` with the problems of all files at once
 */
export async function loadModels(folder: string, root: string): Promise<Model[]> {
  const models: Model[] = [];
  const problems: Problem[] = [];
  for (const layer of LAYERS) {
    const names = await filesOf(join(folder, layer));
    const stems = new Set(names.filter((n) => /\.(sql|ya?ml)$/.test(n)).map((n) => n.replace(/\.\w+$/, '')));
    for (const name of [...stems].sort()) {
      const loaded = await loadModel(join(folder, layer), layer, name, names, root);
      if (Array.isArray(loaded)) problems.push(...loaded);
      else models.push(loaded);
    }
  }
  problems.push(...(await strayFolders(folder, root)));
  throwProblems(problems);
  return models;
}

async function filesOf(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return [];
    throw new LakeError('unavailable', `cannot read the folder ${folder}`, { where: folder, cause });
  }
}

async function strayFolders(folder: string, root: string): Promise<Problem[]> {
  const names = await filesOf(folder);
  return names
    .filter((name) => !LAYERS.some((layer) => layer === name) && !name.startsWith('.'))
    .map((name) => {
      const near = nearestName(name, LAYERS);
      const hint = near === null ? 'models lie in bronze, silver or gold' : `did you mean "${near}"?`;
      return { file: relative(root, join(folder, name)), line: 1, column: 1, message: 'no layer', hint };
    });
}

async function loadModel(
  folder: string,
  layer: Layer,
  name: string,
  names: readonly string[],
  root: string,
): Promise<Model | Problem[]> {
  const yamlName = names.find((n) => n === `${name}.yml` || n === `${name}.yaml`);
  const sqlFile = relative(root, join(folder, `${name}.sql`));
  if (yamlName === undefined || !names.includes(`${name}.sql`)) {
    const missing = yamlName === undefined ? `${name}.yml` : `${name}.sql`;
    const message = `the model ${layer}.${name} has no ${missing}`;
    return [{ file: sqlFile, line: 1, column: 1, message, hint: `write ${missing} beside it` }];
  }
  const file = relative(root, join(folder, yamlName));
  const parsed = parseYamlFile(await readTextFile(join(folder, yamlName), file), file, modelFile);
  if (Array.isArray(parsed)) return parsed;
  const problems = [...nameProblems(name, file), ...checkModelFile(parsed, layer)];
  if (problems.length > 0) return problems;
  const sql = (await readTextFile(join(folder, `${name}.sql`), sqlFile)).replace(/;\s*$/, '');
  return makeModel(layer, name, sql, sqlFile, parsed.value);
}

/** Goes up with a change of the SQL that is made of a model's (`scd2Sql`), or of how its result is written. */
const RESULT_VERSION = 2;

/** A model from its parts. */
export function makeModel(layer: Layer, name: string, sql: string, sqlFile: string, file: ModelFile): Model {
  const { materialisation, key, partition_by, sort_by, scd2 } = file;
  const other = [...(scd2 ? [scd2] : []), ...(file.engine === 'trino' ? ['trino'] : [])];
  const own = [sql, materialisation, key, partition_by, sort_by, ...other];
  const parts = JSON.stringify([...own, RESULT_VERSION, engineVersion()]);
  const fingerprint = createHash('sha256').update(parts).digest('hex').slice(0, 16);
  return { layer, name, id: `${layer}.${name}`, sql, sqlFile, file, materialisation, fingerprint };
}

function nameProblems(name: string, file: string): Problem[] {
  if (/^[a-z][a-z0-9_]*$/.test(name)) return [];
  const hint = 'start with a letter, then lower-case letters, digits and _';
  return [{ file, line: 1, column: 1, message: `"${name}" is no model name`, hint }];
}

function checkModelFile({ value, problemAt }: ParsedYaml<ModelFile>, layer: Layer): Problem[] {
  const problems: Problem[] = [];
  const kind = value.materialisation;
  const kindProblem = (message: string, hint: string) =>
    problems.push(problemAt(['materialisation'], message, hint));
  if (layer === 'bronze' && kind !== 'append') {
    kindProblem('a bronze model appends what has landed', 'write materialisation: append');
  } else if (layer !== 'bronze' && kind === 'append') {
    kindProblem('only bronze models append', 'write replace_partitions, full, upsert or scd2');
  }
  if (kind === 'replace_partitions' && value.partition_by === undefined) {
    kindProblem('replace_partitions needs partition_by', 'write partition_by: [day(<column>)]');
  }
  if ((kind === 'upsert' || kind === 'scd2') && value.key === undefined) {
    kindProblem(`${kind} needs the natural key`, 'write key: [<column>]');
  }
  if (kind !== 'scd2' && value.scd2 !== undefined) {
    problems.push(problemAt(['scd2'], 'only scd2 models have a history', 'write materialisation: scd2'));
  }
  if (kind === 'full' && value.partition_by !== undefined) {
    problems.push(problemAt(['partition_by'], 'a full model is not partitioned', 'write replace_partitions'));
  }
  if (value.engine === 'trino' && (layer === 'bronze' || kind === 'scd2')) {
    const message = layer === 'bronze' ? 'Trino lands no files' : 'histories are made by duckdb';
    problems.push(problemAt(['engine'], message, 'remove this key'));
  }
  if (layer === 'bronze' && value.source === undefined) {
    problems.push(problemAt([], 'a bronze model needs a source', 'write source: { path: …, format: … }'));
  }
  if (layer !== 'bronze' && value.source !== undefined) {
    problems.push(
      problemAt(['source'], 'only bronze models have a source', 'read a bronze table in the SQL'),
    );
  }
  return problems;
}
