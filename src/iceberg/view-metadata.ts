import { LakeError } from '../errors.ts';
import { isJsonObject, parseJson, stringifyJson } from './json.ts';
import type { Schema } from './schema.ts';
import { stripTrailingSlash } from './table-metadata.ts';

/** View metadata as it stands in JSON (view spec: "View Metadata"); fields unknown to this version are kept. */
export interface ViewMetadata {
  readonly 'view-uuid': string;
  readonly 'format-version': number;
  readonly location: string;
  readonly schemas: readonly Schema[];
  readonly 'current-version-id': number;
  readonly versions: readonly ViewVersion[];
  readonly 'version-log': readonly ViewVersionLogEntry[];
  readonly properties: Readonly<Record<string, string>>;
}

/** View spec: "Versions". A version never changes. */
export interface ViewVersion {
  readonly 'version-id': number;
  readonly 'schema-id': number;
  readonly 'timestamp-ms': number;
  readonly summary: Readonly<Record<string, string>>;
  readonly representations: readonly ViewRepresentation[];
  readonly 'default-catalog'?: string;
  readonly 'default-namespace': readonly string[];
}

/** View spec: "SQL representation"; one a dialect. */
export interface ViewRepresentation {
  readonly type: 'sql';
  readonly sql: string;
  readonly dialect: string;
}

/** From `timestamp-ms` on, the view was at `version-id`. */
export interface ViewVersionLogEntry {
  readonly 'timestamp-ms': number;
  readonly 'version-id': number;
}

/** The only format version of the view spec. */
export const VIEW_FORMAT_VERSION = 1;

type Json = Readonly<Record<string, unknown>>;
type Shape = Readonly<Record<string, (value: unknown) => boolean>>;

const isInteger = (value: unknown) => Number.isSafeInteger(value);
const isText = (value: unknown) => typeof value === 'string';
const isTextMap = (value: unknown) => isJsonObject(value) && Object.values(value).every(isText);

const VIEW: Shape = {
  'view-uuid': isText,
  'format-version': (value) => value === VIEW_FORMAT_VERSION,
  location: isText,
  schemas: Array.isArray,
  'current-version-id': isInteger,
  versions: Array.isArray,
  'version-log': Array.isArray,
  properties: isTextMap,
};
const VERSION: Shape = {
  'version-id': isInteger,
  'schema-id': isInteger,
  'timestamp-ms': isInteger,
  summary: isTextMap,
  representations: Array.isArray,
  'default-namespace': (value) => Array.isArray(value) && value.every(isText),
};
const SCHEMA: Shape = { 'schema-id': isInteger, fields: Array.isArray };
const LOG_ENTRY: Shape = { 'timestamp-ms': isInteger, 'version-id': isInteger };
const REPRESENTATION: Shape = { type: isText };

/**
 * Reads a view metadata file.
 *
 * @throws LakeError('corrupt') naming the field at fault.
 */
export function parseViewMetadata(text: string): ViewMetadata {
  const json = parseJson(text);
  if (!isJsonObject(json)) return corrupt('it is no object');
  const filled = { ...json, properties: json['properties'] ?? {} };
  checkShape(filled, VIEW, '');
  const view = filled as Json & ViewMetadata;
  checkList(view.schemas, SCHEMA, 'schemas');
  checkList(view.versions, VERSION, 'versions');
  checkList(view['version-log'], LOG_ENTRY, 'version-log');
  for (const version of view.versions) checkVersion(view, version);
  if (view.versions.some((version) => version['version-id'] === view['current-version-id'])) {
    return { ...view, location: stripTrailingSlash(view.location) };
  }
  return corrupt(`current-version-id is ${view['current-version-id']}, which is not among the versions`);
}

/** The text of a view metadata file. */
export function serializeViewMetadata(view: ViewMetadata): string {
  return stringifyJson(view);
}

function checkVersion(view: ViewMetadata, version: ViewVersion): void {
  const where = `version ${version['version-id']}`;
  checkList(version.representations, REPRESENTATION, `${where}: representations`);
  if (view.schemas.some((schema) => schema['schema-id'] === version['schema-id'])) return;
  corrupt(`${where} has the schema-id ${version['schema-id']}, which is not among the schemas`);
}

function checkList(list: readonly unknown[], shape: Shape, where: string): void {
  for (const [at, item] of list.entries()) {
    if (!isJsonObject(item)) corrupt(`${where}[${at}] is no object`);
    else checkShape(item, shape, `${where}[${at}].`);
  }
}

function checkShape(json: Json, shape: Shape, prefix: string): void {
  for (const [key, holds] of Object.entries(shape)) {
    const value = Object.hasOwn(json, key) ? json[key] : undefined;
    if (!holds(value))
      corrupt(`${prefix}${key} is ${value === undefined ? 'missing' : stringifyJson(value)}`);
  }
}

function corrupt(problem: string): never {
  throw new LakeError('corrupt', `not valid view metadata: ${problem}`, {
    hint: 'take another metadata file of the view, or create the view anew from its SQL',
  });
}
