import { isDeepStrictEqual } from 'node:util';
import { LakeError } from '../errors.ts';
import type { ViewMetadata, ViewRepresentation, ViewVersion, ViewVersionLogEntry } from './view-metadata.ts';

const HISTORY_SIZE = 'version.history.num-entries';
const DEFAULT_HISTORY_SIZE = 10;
const DROP_DIALECT_ALLOWED = 'replace.drop-dialect.allowed';

/**
 * The id that an added version gets: that of a version with the same meaning, else its own, or the next free one if that is taken.
 * When it was made plays no part in what a version means.
 */
export function versionIdFor(versions: readonly ViewVersion[], added: ViewVersion): number {
  const same = versions.find((version) => isDeepStrictEqual(meaningOf(version), meaningOf(added)));
  if (same !== undefined) return same['version-id'];
  return Math.max(added['version-id'], ...versions.map((version) => version['version-id'] + 1));
}

function meaningOf(version: ViewVersion): object {
  const { 'version-id': _id, 'timestamp-ms': _time, ...meaning } = version;
  return Object.fromEntries(Object.entries(meaning).filter(([, value]) => value !== null));
}

/**
 * Checks an added version on its own: SQL alone, at least one representation and one a dialect (view spec: "Representations").
 *
 * @throws LakeError('invalid-argument')
 */
export function checkRepresentations(version: ViewVersion): void {
  const { representations } = version;
  if (representations.length === 0) refuse('Cannot create view without specifying a query');
  const seen = new Set<string>();
  for (const representation of representations) {
    if (!isSql(representation)) refuse(`Invalid view version: a representation is no SQL of a dialect`);
    const dialect = representation.dialect.toLowerCase();
    if (seen.has(dialect)) refuse(`Invalid view version: Cannot add multiple queries for dialect ${dialect}`);
    seen.add(dialect);
  }
}

function isSql(representation: ViewRepresentation): boolean {
  const { type, sql, dialect } = representation;
  return type === 'sql' && typeof sql === 'string' && typeof dialect === 'string' && dialect !== '';
}

/**
 * An engine that knows one dialect alone would take another engine's query away without a word.
 *
 * @throws LakeError('invalid-argument') if `next` lacks a dialect of `base` and the view does not allow it.
 */
export function checkDialects(base: ViewMetadata, next: ViewMetadata): void {
  if (next.properties[DROP_DIALECT_ALLOWED]?.toLowerCase() === 'true') return;
  const kept = dialectsOf(next);
  const lost = [...dialectsOf(base)].filter((dialect) => !kept.has(dialect));
  if (lost.length === 0) return;
  refuse(
    `The view would lose its queries in ${lost.join(', ')} (${DROP_DIALECT_ALLOWED} is not true)`,
    `give a query in every dialect, or set ${DROP_DIALECT_ALLOWED}=true on the view; nothing was changed`,
  );
}

function dialectsOf(view: ViewMetadata): ReadonlySet<string> {
  const current = view.versions.find((version) => version['version-id'] === view['current-version-id']);
  return new Set(current?.representations.flatMap(({ dialect }) => dialect?.toLowerCase() ?? []));
}

/**
 * The view with no more versions than `version.history.num-entries` (10 without it): the current one and the newest. Versions
 * added by this commit count as at least that many. The log is cut behind the last entry of a version that is gone, as time travel into such a gap
 * would find the wrong version.
 *
 * @param added ids of the versions that this commit adds
 * @throws LakeError('invalid-argument') if the property is no positive integer.
 */
export function trimVersions(view: ViewMetadata, added: ReadonlySet<number>): ViewMetadata {
  const current = view['current-version-id'];
  const size = Math.max(historySize(view), new Set([...added, current]).size);
  if (view.versions.length <= size) return view;
  const newest = view.versions
    .map((version) => version['version-id'])
    .filter((id) => id !== current)
    .sort((a, b) => b - a);
  const kept = new Set([current, ...newest.slice(0, size - 1)]);
  return {
    ...view,
    versions: view.versions.filter((version) => kept.has(version['version-id'])),
    'version-log': trimmedLog(view['version-log'], kept),
  };
}

function trimmedLog(log: readonly ViewVersionLogEntry[], kept: ReadonlySet<number>) {
  return log.slice(log.findLastIndex((entry) => !kept.has(entry['version-id'])) + 1);
}

function historySize(view: ViewMetadata): number {
  const text = view.properties[HISTORY_SIZE];
  if (text === undefined) return DEFAULT_HISTORY_SIZE;
  const size = Number(text);
  if (!Number.isInteger(size) || size < 1) refuse(`${HISTORY_SIZE} must be positive but was ${text}`);
  return size;
}

function refuse(problem: string, hint = 'correct the update; nothing was changed'): never {
  // By this name Java's client raises what its callers expect of a view that is not well formed.
  throw new LakeError('invalid-argument', problem, { hint, context: { type: 'IllegalArgumentException' } });
}
