import { LakeError } from '../errors.ts';
import { nearestName } from '../iceberg/schema.ts';
import { LAYERS, type Model } from './model.ts';

/** The models with what each of them reads, in an order in which every input stands before its reader. */
export interface ModelGraph {
  readonly order: readonly Model[];
  /** Ids of the tables that a model reads, sorted. */
  readonly inputs: ReadonlyMap<string, readonly string[]>;
}

/** The name under which a bronze model's SQL reads the file that lands. */
export const SOURCE_NAME = 'source';

/**
 * Orders the models and checks what they read.
 *
 * @param reads the tables that each model's SQL names, as `layer.name`, by model id
 * @throws LakeError `invalid-file` for a table that no model fills, a read up the layers, and a circle
 */
export function buildGraph(
  models: readonly Model[],
  reads: ReadonlyMap<string, readonly string[]>,
): ModelGraph {
  const byId = new Map(models.map((model) => [model.id, model]));
  const inputs = new Map<string, readonly string[]>();
  for (const model of models) {
    const names = reads.get(model.id) ?? [];
    for (const name of names) checkRead(model, name, byId);
    inputs.set(
      model.id,
      names.filter((name) => name !== SOURCE_NAME),
    );
  }
  return { order: sortByInputs(models, inputs, byId), inputs };
}

function checkRead(model: Model, name: string, byId: ReadonlyMap<string, Model>): void {
  const refuse = (message: string, hint: string): never => {
    throw new LakeError('invalid-file', message, { where: model.sqlFile, hint });
  };
  if (model.layer === 'bronze') {
    if (name !== SOURCE_NAME)
      refuse(`a bronze model reads ${SOURCE_NAME}, not "${name}"`, `FROM ${SOURCE_NAME}`);
    return;
  }
  const input = byId.get(name);
  if (input === undefined) {
    const near = nearestName(name, [...byId.keys()]);
    const known = `write it as layer.name; the models are ${[...byId.keys()].join(', ')}`;
    refuse(
      `${model.id} reads "${name}", which no model fills`,
      near === null ? known : `did you mean ${near}?`,
    );
  } else if (LAYERS.indexOf(input.layer) > LAYERS.indexOf(model.layer)) {
    refuse(`${model.id} reads ${name}, a later layer`, 'data flows from bronze to silver to gold');
  }
}

function sortByInputs(
  models: readonly Model[],
  inputs: ReadonlyMap<string, readonly string[]>,
  byId: ReadonlyMap<string, Model>,
): Model[] {
  const order: Model[] = [];
  const state = new Map<string, 'open' | 'done'>();
  const visit = (model: Model, path: readonly string[]): void => {
    if (state.get(model.id) === 'done') return;
    if (state.get(model.id) === 'open') {
      const circle = [...path.slice(path.indexOf(model.id)), model.id].join(' -> ');
      const hint = 'let one of them read an earlier table instead';
      throw new LakeError('invalid-file', `models read each other in a circle: ${circle}`, {
        where: model.sqlFile,
        hint,
      });
    }
    state.set(model.id, 'open');
    for (const id of inputs.get(model.id) ?? []) {
      const input = byId.get(id);
      if (input !== undefined) visit(input, [...path, model.id]);
    }
    state.set(model.id, 'done');
    order.push(model);
  };
  for (const model of models) visit(model, []);
  return order.sort((a, b) => LAYERS.indexOf(a.layer) - LAYERS.indexOf(b.layer));
}
