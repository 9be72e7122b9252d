import { LakeError } from '../errors.ts';
import { nearestName } from '../iceberg/schema.ts';
import type { ModelGraph } from './graph.ts';
import type { Model } from './model.ts';

/** What `--select` and `--exclude` say. */
export interface Selection {
  /** A union; absent or empty selects every model. */
  readonly select?: readonly string[];
  /** Taken away from what is selected. */
  readonly exclude?: readonly string[];
}

/** One term of dbt's selection syntax: a method, and how far it reaches up and down the graph. */
interface Term {
  readonly text: string;
  readonly core: string;
  /** Steps towards the sources (0: none). */
  readonly up: number;
  /** Steps towards the readers. */
  readonly down: number;
  /** `@`: all readers, and all that any of them reads. */
  readonly closure: boolean;
}

/**
 * Picks models the way dbt does: `name`, `layer.name`, globs (`gold.*`), `tag:key`, `tag:key=value`, `path:models/gold`
 * (or a path as it stands), with `+` or `N+` before it (what it reads, N steps far), `+` or `+N` after it (what reads it), `@` before it (its
 * readers and all they read). A space is a union, a comma an intersection, `exclude` takes away.
 *
 * @returns ids of the selected models
 * @throws LakeError `usage` for a term that matches nothing, and where nothing is left
 */
export function selectModels(graph: ModelGraph, selection: Selection = {}): Set<string> {
  const chosen = union(graph, selection.select ?? []);
  const all = graph.order.map((model) => model.id);
  const excluded = union(graph, selection.exclude ?? []) ?? new Set();
  const selected = new Set(all.filter((id) => (chosen?.has(id) ?? true) && !excluded.has(id)));
  if (selected.size > 0 || all.length === 0) return selected;
  throw new LakeError('usage', 'the selection leaves no model', {
    hint: `the models are ${all.join(', ')}; a comma intersects, a space unites`,
  });
}

/** Null where no selector is given. */
function union(graph: ModelGraph, selectors: readonly string[]): Set<string> | null {
  const words = selectors.flatMap((text) => text.split(/\s+/)).filter((text) => text !== '');
  if (words.length === 0) return null;
  const sets = words.map((word) => {
    const terms = word.split(',').map((text) => reached(graph, parseTerm(text)));
    const [first = new Set<string>(), ...rest] = terms;
    return new Set([...first].filter((id) => rest.every((term) => term.has(id))));
  });
  return new Set(sets.flatMap((ids) => [...ids]));
}

function parseTerm(text: string): Term {
  const parts = /^(@|(\d*)\+)?([^+@]+?)(\+(\d*))?$/.exec(text);
  if (parts === null || (parts[1] === '@' && parts[4] !== undefined)) {
    throw new LakeError('usage', `"${text}" is no selector`, {
      hint: 'write NAME, LAYER.*, tag:KEY=VALUE or path:FOLDER, with +, 2+ or @ before and +, +2 after it',
    });
  }
  const steps = (sign: string | undefined, count: string | undefined) =>
    sign === undefined ? 0 : count === '' ? Number.POSITIVE_INFINITY : Number(count);
  const closure = parts[1] === '@';
  const up = closure ? 0 : steps(parts[1], parts[2]);
  return { text, core: parts[3] ?? '', up, down: steps(parts[4], parts[5]), closure };
}

function reached(graph: ModelGraph, term: Term): Set<string> {
  const { core, up, down, closure } = term;
  const matched = graph.order.filter((model) => matches(model, core)).map((model) => model.id);
  if (matched.length === 0) throw unknownSelector(term, graph);
  const inputs = (id: string) => graph.inputs.get(id) ?? [];
  const readers = (id: string) => readersOf(graph, id);
  const all = Number.POSITIVE_INFINITY;
  if (closure) return reach(reach(matched, readers, all), inputs, all);
  return new Set([...reach(matched, inputs, up), ...reach(matched, readers, down)]);
}

function matches(model: Model, core: string): boolean {
  if (core.startsWith('tag:')) {
    const [key = '', value] = core.slice('tag:'.length).split('=');
    const tag = model.file.tags?.[key];
    return tag !== undefined && (value === undefined || tag === value);
  }
  if (core.startsWith('path:') || core.includes('/')) {
    return matchesPath(
      model,
      core
        .replace(/^path:/, '')
        .replace(/^\.\//, '')
        .replace(/\/$/, ''),
    );
  }
  const pattern = globPattern(core);
  return pattern.test(model.id) || pattern.test(model.name);
}

/** A model's file, with or without its ending, or a folder above it. */
function matchesPath(model: Model, path: string): boolean {
  const file = model.sqlFile.replaceAll('\\', '/');
  const pattern = globPattern(path);
  if (pattern.test(file) || pattern.test(file.replace(/\.sql$/, ''))) return true;
  const parts = file.split('/');
  return parts.some((_part, i) => i > 0 && pattern.test(parts.slice(0, i).join('/')));
}

function globPattern(text: string): RegExp {
  const escaped = text
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${escaped}$`);
}

function unknownSelector({ text, core }: Term, graph: ModelGraph): LakeError {
  const names = graph.order.flatMap((model) => [model.id, model.name]);
  const near = nearestName(core, names);
  const hint =
    near === null ? `the models are ${graph.order.map((m) => m.id).join(', ')}` : `did you mean ${near}?`;
  return new LakeError('usage', `the selector ${text} matches no model`, { hint });
}

function readersOf(graph: ModelGraph, id: string): string[] {
  return graph.order.filter((model) => graph.inputs.get(model.id)?.includes(id)).map((model) => model.id);
}

/** What can be reached in at most `steps` steps, the start included. */
function reach(from: Iterable<string>, next: (id: string) => readonly string[], steps: number): Set<string> {
  const seen = new Set(from);
  let edge = [...seen];
  for (let step = 0; step < steps && edge.length > 0; step++) {
    edge = [...new Set(edge.flatMap((id) => [...next(id)]))].filter((id) => !seen.has(id));
    for (const id of edge) seen.add(id);
  }
  return seen;
}
