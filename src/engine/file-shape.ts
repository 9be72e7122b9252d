import { isAbsolute } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { isKind, LakeError } from '../errors.ts';
import type { DataFile } from '../iceberg/manifest.ts';
import type { DuckDbEngine } from './duckdb.ts';
import { schemaBytes } from './schema-bytes.ts';
import { quoteName, quoteText } from './sql-text.ts';

/** A column of a Parquet file, or what is nested in it, as the engine reads it. */
export interface ShapeNode {
  readonly name: string;
  readonly id: number | null;
  readonly kind: 'primitive' | 'struct' | 'list' | 'map';
  /** The DuckDB type of a primitive. */
  readonly type: string;
  /** A struct's fields in their order; a list's element; a map's key and value. */
  readonly children: readonly ShapeNode[];
}

/** The schema of Parquet files; one object for all files of an engine that have the same one. */
export interface FileShape {
  readonly columns: readonly ShapeNode[];
}

interface SchemaElement {
  readonly name: string;
  readonly repetition_type: string | null;
  readonly num_children: number | null;
  readonly converted_type: string | null;
  readonly field_id: number | null;
  readonly duckdb_type: string | null;
}

const FILES_A_QUERY = 500;
const QUERIES = 4;
const MOST_CACHED = 200_000;

interface ShapeCache {
  readonly byFile: Map<string, FileShape>;
  readonly byText: Map<string, FileShape>;
  /** By `schemaBytes`. */
  readonly bySchema: Map<string, FileShape>;
}

/** Files never change, so that their footers are read once an engine; and the engine itself reads one of each schema. */
const caches = new WeakMap<DuckDbEngine, ShapeCache>();

/** Of a file that is staged, a part alone may be here: another one has another path. */
const fileKey = (file: DataFile, path: string): string => `${file.fileSizeInBytes} ${path}`;

/**
 * The schemas of Parquet files, from their footers.
 *
 * @param local what the engine opens for a location
 * @returns finds a file's shape; errors: those of the engine
 */
export async function fileShapes(
  engine: DuckDbEngine,
  files: readonly DataFile[],
  local: (location: string) => string,
): Promise<(file: DataFile) => FileShape> {
  let cache = caches.get(engine);
  if (cache === undefined || cache.byFile.size > MOST_CACHED) {
    cache = { byFile: new Map(), byText: new Map(), bySchema: new Map() };
    caches.set(engine, cache);
  }
  const { byFile, byText, bySchema } = cache;
  const missing = new Map(
    files
      .map((file): [string, string] => [local(file.filePath), fileKey(file, local(file.filePath))])
      .filter(([, key]) => !byFile.has(key)),
  );
  const schemas = await schemasOf([...missing.keys()]);
  const paths = representatives(schemas, bySchema);
  const starts = Array.from({ length: Math.ceil(paths.length / FILES_A_QUERY) }, (_, i) => i * FILES_A_QUERY);
  const queue = starts.values();
  const read = async (): Promise<void> => {
    for (const start of queue) {
      const some = paths.slice(start, start + FILES_A_QUERY);
      for (const [path, text] of await schemaTexts(engine, some).catch(nameDamaged(engine, some))) {
        const shape = byText.get(text) ?? parseShape(text);
        byText.set(text, shape);
        const key = missing.get(path);
        if (key !== undefined) byFile.set(key, shape);
        const schema = schemas.get(path);
        if (typeof schema === 'string') bySchema.set(schema, shape);
      }
    }
  };
  await Promise.all(Array.from({ length: QUERIES }, read));
  for (const [path, key] of missing) {
    const shape = bySchema.get(schemas.get(path) ?? '');
    if (shape && !byFile.has(key)) byFile.set(key, shape);
  }
  return (file) => {
    const shape = byFile.get(fileKey(file, local(file.filePath)));
    if (shape) return shape;
    throw new LakeError('internal', 'The engine gave no schema for a file', { where: file.filePath });
  };
}

const FILES_AT_ONCE = 100;

/** The schemas of local files by their paths, as bytes; null where the engine is to be asked. */
async function schemasOf(paths: readonly string[]): Promise<ReadonlyMap<string, string | null>> {
  const schemas = new Map<string, string | null>();
  for (const path of paths) {
    schemas.set(path, isAbsolute(path) ? schemaBytes(path) : null);
    // Reading a footer takes less than handing it to another thread; others get their turn in between.
    if (schemas.size % FILES_AT_ONCE === 0) await setImmediate();
  }
  return schemas;
}

/** The files that the engine is asked for: one of each schema that is not known yet, and all whose schema is not told. */
function representatives(
  schemas: ReadonlyMap<string, string | null>,
  known: ReadonlyMap<string, FileShape>,
): string[] {
  const asked = new Set<string>();
  return [...schemas].flatMap(([path, schema]) => {
    if (schema === null) return [path];
    if (known.has(schema) || asked.has(schema)) return [];
    asked.add(schema);
    return [path];
  });
}

/** The engine does not always say which of many files it could not read: each is asked for alone then. */
function nameDamaged(engine: DuckDbEngine, paths: readonly string[]): (error: unknown) => Promise<never> {
  return async (error) => {
    if (!isKind(error, 'corrupt', 'internal', 'invalid-argument', 'unavailable')) throw error;
    for (const path of paths) {
      const damage = await schemaTexts(engine, [path]).then(
        () => null,
        (cause: unknown) => cause,
      );
      if (!(damage instanceof LakeError)) continue;
      throw new LakeError(damage.kind, damage.message, {
        where: path,
        cause: damage,
        ...(damage.hint === undefined ? {} : { hint: damage.hint }),
      });
    }
    throw error;
  };
}

async function schemaTexts(engine: DuckDbEngine, paths: readonly string[]): Promise<[string, string][]> {
  const rows = await engine.raw(
    'SELECT file_name, CAST(to_json(list(struct_pack(name := name, repetition_type := repetition_type, num_children := num_children, ' +
      'converted_type := converted_type, field_id := field_id, duckdb_type := duckdb_type) ORDER BY column_id)) AS VARCHAR) AS shape ' +
      `FROM parquet_schema([${paths.map(quoteText).join(', ')}]) GROUP BY file_name`,
  );
  return rows.map((row) => [String(row['file_name']), String(row['shape'])]);
}

function parseShape(text: string): FileShape {
  const [root, ...elements]: SchemaElement[] = JSON.parse(text);
  const rest = elements.values();
  return { columns: takeNodes(rest, root?.num_children ?? 0, false) };
}

function takeNodes(rest: Iterator<SchemaElement>, count: number, inMap: boolean): ShapeNode[] {
  return Array.from({ length: count }, () => takeNode(rest, inMap));
}

/** A schema element with what is below it, as the engine makes its types of it: the groups of lists and maps fall away. */
function takeNode(rest: Iterator<SchemaElement>, inMap: boolean): ShapeNode {
  const { value: element } = rest.next();
  if (element === undefined) throw new LakeError('corrupt', 'The schema in a Parquet footer ends early');
  const { name, field_id: id, converted_type: annotation } = element;
  const repeated = element.repetition_type === 'REPEATED';
  const children = takeNodes(rest, element.num_children ?? 0, annotation === 'MAP' && !repeated);
  const [only] = children;
  const own = { name, id, type: element.duckdb_type ?? '', children };
  if (repeated) {
    const isEntry = (inMap || annotation === 'MAP_KEY_VALUE') && children.length === 2;
    if (isEntry) return { ...own, kind: 'map' };
    const item: ShapeNode =
      children.length === 1 && only ? only : { ...own, kind: only === undefined ? 'primitive' : 'struct' };
    return { name, id: null, kind: 'list', type: '', children: [item] };
  }
  if (only === undefined) return { ...own, kind: 'primitive' };
  const isGroup = (annotation === 'LIST' || annotation === 'MAP') && children.length === 1;
  return isGroup ? { ...only, name, id } : { ...own, kind: 'struct' };
}

/** The DuckDB type of a column of a file. */
export function shapeType(node: ShapeNode): string {
  const [first, second] = node.children;
  if (node.kind === 'list' && first) return `${shapeType(first)}[]`;
  if (node.kind === 'map' && first && second) return `MAP(${shapeType(first)}, ${shapeType(second)})`;
  if (node.kind === 'struct') {
    return `STRUCT(${node.children.map((child) => `${quoteName(child.name)} ${shapeType(child)}`).join(', ')})`;
  }
  return node.type;
}
