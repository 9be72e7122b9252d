import type { TrinoEngine } from '../../../src/engine/trino.ts';
import type { DemoProject } from './project.ts';

/** A moment of a table: by a snapshot's id, a tag, or the time of day. */
export type Point =
  | { readonly snapshot: string }
  | { readonly tag: string }
  /** ISO 8601, in UTC. */
  | { readonly time: string };

/** SQL that both engines understand; `at` writes a table's name as of the moment that is asked for. */
export type Question = (at: (table: string) => string) => string;

/** Rows of values as text, the same for equal values of either engine. */
export type Answer = readonly (readonly string[])[];

/** An engine that reads the lake's tables. */
export interface Engine {
  readonly name: 'Trino' | 'DuckDB';
  ask(question: Question, point?: Point): Promise<Answer>;
}

/** The embedded engine, by `lake sql`. */
export function duckdb(project: DemoProject): Engine {
  return {
    name: 'DuckDB',
    ask: async (question, point) => {
      const asOf = point === undefined ? [] : ['--as-of', String(Object.values(point)[0])];
      const rows = await project.rows(['sql', question((table) => table), ...asOf]);
      return rows.map((row) => Object.values(row).map(valueText));
    },
  };
}

/** The server, by its protocol. */
export function trino(server: TrinoEngine): Engine {
  return {
    name: 'Trino',
    ask: async (question, point) => {
      const at = (table: string) => (point === undefined ? table : `${table} ${clauseOf(point)}`);
      return (await server.rows(question(at))).map((row) => row.map(valueText));
    },
  };
}

function clauseOf(point: Point): string {
  if ('snapshot' in point) return `FOR VERSION AS OF ${point.snapshot}`;
  if ('tag' in point) return `FOR VERSION AS OF '${point.tag}'`;
  return `FOR TIMESTAMP AS OF TIMESTAMP '${point.time.replace('T', ' ').replace('Z', ' UTC')}'`;
}

/** Trino writes `2001-01-01 00:01:00.000` for what DuckDB writes without the zeros. */
function valueText(value: unknown): string {
  if (value === null || value === undefined) return '(none)';
  return String(value).replace(/^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\.0+$/, '$1');
}

export const sameAnswer = (one: Answer, other: Answer) => JSON.stringify(one) === JSON.stringify(other);
