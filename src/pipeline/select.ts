import { LakeError } from '../errors.ts';
import { nearestName } from '../iceberg/schema.ts';
import type { ModelGraph } from './graph.ts';
import type { Model } from './model.ts';

/**
 * Picks models the way dbt's `--select` does: `name`, `layer.name`, a glob (`gold.*`), `tag:key` or
 * `tag:key=value`, each with `+` before it (and what it reads) or after it (and what reads it).
 *
 * @param selectors a union; empty or absent selects every model
 * @returns ids of the selected models
 * @throws LakeError `usage` for a selector that matches nothing
 */
export function selectModels(graph: ModelGraph, selectors: readonly string[] = []): Set<string> {
  if (selectors.length === 0) return new Set(graph.order.map((model) => model.id));
  const selected = new Set<string>();
  for (const selector of selectors.flatMap((text) => text.split(/\s+/)).filter((text) => text !== '')) {
    const core = selector.replace(/^\+|\+$/g, '');
    const matched = graph.order.filter((model) => matches(model, core)).map((model) => model.id);
    if (matched.length === 0) throw unknownSelector(selector, core, graph);
    const up = selector.startsWith('+') ? reach(matched, (id) => graph.inputs.get(id) ?? []) : [];
    const down = selector.endsWith('+') ? reach(matched, (id) => readersOf(graph, id)) : [];
    for (const id of [...matched, ...up, ...down]) selected.add(id);
  }
  return selected;
}

function matches(model: Model, core: string): boolean {
  if (core.startsWith('tag:')) {
    const [key = '', value] = core.slice('tag:'.length).split('=');
    const tag = model.file.tags?.[key];
    return tag !== undefined && (value === undefined || tag === value);
  }
  const escaped = core.replace(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*');
  const pattern = new RegExp(`^${escaped}$`);
  return pattern.test(model.id) || pattern.test(model.name);
}

function unknownSelector(selector: string, core: string, graph: ModelGraph): LakeError {
  const names = graph.order.flatMap((model) => [model.id, model.name]);
  const near = nearestName(core, names);
  const hint =
    near === null ? `the models are ${graph.order.map((m) => m.id).join(', ')}` : `did you mean ${near}?`;
  return new LakeError('usage', `--select ${selector} matches no model`, { hint });
}

function readersOf(graph: ModelGraph, id: string): string[] {
  return graph.order.filter((model) => graph.inputs.get(model.id)?.includes(id)).map((model) => model.id);
}

function reach(from: readonly string[], next: (id: string) => readonly string[]): string[] {
  const seen = new Set<string>();
  const open = [...from];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    for (const other of next(id)) {
      if (seen.has(other)) continue;
      seen.add(other);
      open.push(other);
    }
  }
  return [...seen];
}
