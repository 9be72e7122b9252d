import { isDeepStrictEqual } from 'node:util';
import { LakeError } from '../errors.ts';
import { type Schema, validateSchema } from './schema.ts';
import { stripTrailingSlash } from './table-metadata.ts';
import { VIEW_FORMAT_VERSION, type ViewMetadata, type ViewVersion } from './view-metadata.ts';
import { checkDialects, checkRepresentations, trimVersions, versionIdFor } from './view-versions.ts';

/** An update of the REST spec (`ViewUpdate`), as it stands on the wire. */
export type ViewUpdate =
  | { readonly action: 'assign-uuid'; readonly uuid: string }
  | { readonly action: 'upgrade-format-version'; readonly 'format-version': number }
  | { readonly action: 'add-schema'; readonly schema: Schema }
  | { readonly action: 'set-location'; readonly location: string }
  | { readonly action: 'set-properties'; readonly updates: Readonly<Record<string, string>> }
  | { readonly action: 'remove-properties'; readonly removals: readonly string[] }
  | { readonly action: 'add-view-version'; readonly 'view-version': ViewVersion }
  | { readonly action: 'set-current-view-version'; readonly 'view-version-id': number };

/** A requirement of the REST spec (`ViewRequirement`), as it stands on the wire. */
export type ViewRequirement = { readonly type: 'assert-view-uuid'; readonly uuid: string };

type UpdateByAction = { readonly [U in ViewUpdate as U['action']]: U };
type Action = keyof UpdateByAction;
type UpdateOf<A extends Action = Action> = {
  readonly [K in A]: UpdateByAction[K] & { readonly action: K };
}[A];

interface Draft {
  view: ViewMetadata;
  readonly isNew: boolean;
  readonly nowMs: number;
  lastAddedSchemaId: number | null;
  lastAddedVersionId: number | null;
  readonly addedVersions: Set<number>;
}

/** On the wire: "the one this commit added last". */
const LAST_ADDED = -1;
/** What a view in creation does not have yet. */
const NONE = -1;
const EMPTY: ViewMetadata = {
  'view-uuid': '',
  'format-version': VIEW_FORMAT_VERSION,
  location: '',
  schemas: [],
  'current-version-id': NONE,
  versions: [],
  'version-log': [],
  properties: {},
};

const apply: { readonly [A in Action]: (draft: Draft, update: UpdateByAction[A]) => void } = {
  'assign-uuid': (draft, { uuid }) => assignUuid(draft, uuid),
  'upgrade-format-version': (_draft, update) => checkFormatVersion(update['format-version']),
  'add-schema': (draft, { schema }) => addSchema(draft, schema),
  'set-location': (draft, { location }) => change(draft, { location: stripTrailingSlash(location) }),
  'set-properties': (draft, { updates }) =>
    change(draft, { properties: { ...draft.view.properties, ...updates } }),
  'remove-properties': (draft, { removals }) => removeProperties(draft, removals),
  'add-view-version': (draft, update) => addVersion(draft, update['view-version']),
  'set-current-view-version': (draft, update) => setCurrentVersion(draft, update['view-version-id']),
};

/**
 * Applies updates to a view (REST spec: `ViewUpdate`) in their order, then trims its versions. Pure.
 *
 * @param base null to create the view, which then takes a uuid, a location, a schema and a version among the updates.
 * @returns the new metadata; `base` itself if the updates change nothing.
 * @throws LakeError('invalid-argument') for an unknown action or an update that does not fit the view.
 */
export function applyViewUpdates(
  base: ViewMetadata | null,
  updates: readonly ViewUpdate[],
  nowMs: number,
): ViewMetadata {
  for (const { action } of updates) refuseUnknown(action, apply, 'update action');
  const draft: Draft = {
    view: base ?? EMPTY,
    isNew: base === null,
    nowMs,
    lastAddedSchemaId: null,
    lastAddedVersionId: null,
    addedVersions: new Set(),
  };
  for (const update of updates) applyUpdate(draft, update);
  if (base !== null && isDeepStrictEqual(base, draft.view)) return base;
  checkComplete(draft.view);
  if (base !== null) checkDialects(base, draft.view);
  return trimVersions(draft.view, draft.addedVersions);
}

/**
 * Checks the requirements of a commit (REST spec: `ViewRequirement`) against the view as it is.
 *
 * @throws LakeError('conflict') if one does not hold, 'invalid-argument' for a type that this version does not know.
 */
export function checkViewRequirements(base: ViewMetadata, requirements: readonly ViewRequirement[]): void {
  for (const { type, uuid } of requirements) {
    refuseUnknown(type, { 'assert-view-uuid': true }, 'requirement type');
    if (uuid.toLowerCase() === base['view-uuid'].toLowerCase()) continue;
    throw new LakeError(
      'conflict',
      `Requirement failed: view UUID does not match: it is ${base['view-uuid']}, expected ${uuid}`,
      { where: base.location, hint: 'nothing was committed: load the view and derive the change anew' },
    );
  }
}

function applyUpdate<A extends Action>(draft: Draft, update: UpdateOf<A>): void {
  apply[update.action](draft, update);
}

function change(draft: Draft, parts: Partial<ViewMetadata>): void {
  draft.view = { ...draft.view, ...parts };
}

function assignUuid(draft: Draft, uuid: string): void {
  const known = draft.view['view-uuid'];
  if (known.toLowerCase() === uuid.toLowerCase()) return;
  if (!draft.isNew) refuse(`the view has the uuid ${known} already`);
  change(draft, { 'view-uuid': uuid });
}

function checkFormatVersion(version: number): void {
  if (version !== VIEW_FORMAT_VERSION) refuse(`view format version ${version} is not supported`);
}

function addSchema(draft: Draft, added: Schema): void {
  validateSchema(added);
  const { schemas } = draft.view;
  const { 'schema-id': _id, ...meaning } = added;
  const same = schemas.find(({ 'schema-id': _, ...other }) => isDeepStrictEqual(other, meaning));
  const id = same?.['schema-id'] ?? Math.max(-1, ...schemas.map((schema) => schema['schema-id'])) + 1;
  if (same === undefined) change(draft, { schemas: [...schemas, { ...added, 'schema-id': id }] });
  draft.lastAddedSchemaId = id;
}

function removeProperties(draft: Draft, removals: readonly string[]): void {
  const kept = Object.entries(draft.view.properties).filter(([key]) => !removals.includes(key));
  change(draft, { properties: Object.fromEntries(kept) });
}

function addVersion(draft: Draft, wanted: ViewVersion): void {
  checkRepresentations(wanted);
  const { versions, schemas } = draft.view;
  const schemaId = wanted['schema-id'] === LAST_ADDED ? draft.lastAddedSchemaId : wanted['schema-id'];
  if (schemaId === null) refuse('a view version has the schema-id -1, and this commit adds no schema');
  if (!schemas.some((schema) => schema['schema-id'] === schemaId)) refuse(`there is no schema ${schemaId}`);
  const version = { ...wanted, 'schema-id': schemaId };
  const id = versionIdFor(versions, version);
  draft.lastAddedVersionId = id;
  if (versions.some((other) => other['version-id'] === id)) return;
  change(draft, { versions: [...versions, { ...version, 'version-id': id }] });
  draft.addedVersions.add(id);
}

function setCurrentVersion(draft: Draft, wanted: number): void {
  const { view } = draft;
  const id = wanted === LAST_ADDED ? draft.lastAddedVersionId : wanted;
  if (id === null) refuse('set-current-view-version -1: this commit adds no version');
  const version = view.versions.find((one) => one['version-id'] === id);
  if (version === undefined) refuse(`there is no view version ${id}`);
  if (view['current-version-id'] === id) return;
  const sinceMs = draft.addedVersions.has(id) ? version['timestamp-ms'] : draft.nowMs;
  change(draft, {
    'current-version-id': id,
    'version-log': [...view['version-log'], { 'timestamp-ms': sinceMs, 'version-id': id }],
  });
}

function checkComplete(view: ViewMetadata): void {
  const parts: readonly (readonly [boolean, string])[] = [
    [view['view-uuid'] === '', 'assign-uuid'],
    [view.location === '', 'set-location'],
    [view['current-version-id'] === NONE, 'set-current-view-version'],
  ];
  const missing = parts.filter(([lacks]) => lacks).map(([, action]) => action);
  if (missing.length > 0) refuse(`a view cannot be created without ${missing.join(', ')}`);
}

function refuseUnknown(name: string, known: object, what: string): void {
  if (Object.hasOwn(known, name)) return;
  refuse(`unknown ${what} ${name}`, `this catalog knows ${Object.keys(known).join(', ')}`);
}

function refuse(problem: string, hint = 'correct the update; nothing was changed'): never {
  throw new LakeError('invalid-argument', problem, { hint });
}
