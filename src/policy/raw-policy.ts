import { durationMs, isDuration, parseDuration } from './duration.ts';

/** Steps from the root of a YAML document to a node. */
export type Path = readonly (string | number)[];
export type Keys = Readonly<Record<string, unknown>>;

/** Something wrong in what a file says; `path` leads to the node. */
export interface PolicyFinding {
  readonly file: string;
  readonly path: Path;
  readonly message: string;
  readonly hint?: string;
}

/** A policy file as YAML, whatever its shape: parts of the wrong shape are passed over, the schema reports them. */
export interface RawPolicyFile {
  readonly file: string;
  readonly raw: unknown;
}

/** A policy of such a file with its place. */
export interface RawRule {
  readonly file: string;
  readonly path: Path;
  readonly rule: Keys;
}

/** The keys of a mapping; none for anything else. */
export function keysOf(value: unknown): Keys {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Keys) : {};
}

/** The items of a list; none for anything else. */
export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** A duration in ms (a month as 30 days); null for what is none. */
export function spanOf(value: unknown): number | null {
  return typeof value === 'string' && isDuration(value) ? durationMs(parseDuration(value)) : null;
}
