import type { DuckDbEngine } from '../engine/duckdb.ts';
import { isKind, LakeError } from '../errors.ts';
import { openLakeEngine } from '../project/lake-engine.ts';
import type { Lake } from '../project/open-lake.ts';
import { buildGraph, type ModelGraph } from './graph.ts';
import { loadModels } from './load-models.ts';
import type { Model } from './model.ts';
import { refuseUnknownTables } from './run-checks.ts';
import { trinoReads } from './trino-result.ts';

/** Opens an engine, reads the project's models and hands both to `use`; the engine is closed afterwards. */
export async function withGraph<T>(
  lake: Lake,
  use: (engine: DuckDbEngine, graph: ModelGraph) => Promise<T>,
): Promise<T> {
  const { config } = lake;
  const models = await loadModels(config.modelsFolder, config.root);
  if (models.length === 0) {
    throw new LakeError('invalid-file', 'this project has no models', {
      where: config.modelsFolder,
      hint: 'write models/bronze/NAME.sql with NAME.yml beside it',
    });
  }
  refuseUnknownTables(models);
  const engine = await openLakeEngine(lake);
  try {
    return await use(engine, buildGraph(models, await readsOf(engine, models)));
  } finally {
    await engine.close();
  }
}

async function readsOf(engine: DuckDbEngine, models: readonly Model[]): Promise<Map<string, string[]>> {
  const reads = new Map<string, string[]>();
  for (const model of models) {
    try {
      reads.set(model.id, await readsOfModel(engine, model));
    } catch (error) {
      throw inModel(model, error);
    }
  }
  return reads;
}

async function readsOfModel(engine: DuckDbEngine, model: Model): Promise<string[]> {
  if (model.file.engine === 'trino') return trinoReads(model.sql);
  const names = await engine.tableNames(model.sql);
  return names.map((name) => name.replaceAll('"', '')).sort();
}

/** Names the model's file where the engine only knew a position in its SQL. */
export function inModel(model: Model, error: unknown): unknown {
  if (!isKind(error, 'usage')) return error;
  const where = error.where === undefined ? model.sqlFile : `${model.sqlFile}: ${error.where}`;
  return new LakeError('invalid-file', `${model.id}: ${error.message}`, {
    where,
    cause: error,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  });
}
