import { LakeError } from '../errors.ts';
import type { NameMapping } from '../iceberg/name-mapping.ts';
import { isList, isMap, isStruct, type NestedField, type StructType, type Type } from '../iceberg/types.ts';
import { duckDbType } from './duckdb-types.ts';
import type { ShapeNode } from './file-shape.ts';
import { quoteName } from './sql-text.ts';
import { initialSql } from './value-sql.ts';

/** What a file's columns are, and how its table wants them. */
export interface ProjectionRules {
  /** For files without field ids; absent where the table has none. */
  readonly mapping: NameMapping | undefined;
  /** True where `initial-default` counts: format v3 and later. */
  readonly defaults: boolean;
  /** The table and a file, for messages. */
  readonly where: string;
}

/** A column of a file with the field id that it has or is mapped to. */
export interface FoundNode {
  readonly node: ShapeNode;
  /** The mapping of what is in it. */
  readonly mapping: NameMapping | undefined;
  /** True if the id stands in the file. */
  readonly hasId: boolean;
  /** Its place among its siblings, from 1. */
  readonly place: number;
}

/**
 * The columns of one level of a file by field id (spec: "Column Projection"): by their own ids, or by the name mapping if none has one.
 * Errors: `unsupported` for columns without ids where the table maps no names.
 */
export function nodesById(
  nodes: readonly ShapeNode[],
  mapping: NameMapping | undefined,
  rules: ProjectionRules,
): ReadonlyMap<number, FoundNode> {
  const found = new Map<number, FoundNode>();
  const hasIds = nodes.some((node) => node.id !== null);
  if (!hasIds && nodes.length > 0 && (mapping === undefined || mapping.fields.size === 0))
    throw withoutIds(nodes, rules);
  nodes.forEach((node, i) => {
    const mapped = mapping?.fields.get(node.name);
    const id = hasIds ? node.id : mapped?.id;
    if (id === null || id === undefined) return;
    if (found.has(id)) throw ambiguous(id, node, rules);
    found.set(id, { node, mapping: mapped, hasId: hasIds, place: i + 1 });
  });
  return found;
}

/** True if the engine reads the column as it is wanted: same names, order and types all the way down. */
export function isAsWanted({ node, mapping }: FoundNode, type: Type, rules: ProjectionRules): boolean {
  if (isStruct(type)) {
    if (node.kind !== 'struct' || node.children.length !== type.fields.length) return false;
    const children = nodesById(node.children, mapping, rules);
    return type.fields.every((field, i) => {
      const child = children.get(field.id);
      return child?.place === i + 1 && child.node.name === field.name && isAsWanted(child, field.type, rules);
    });
  }
  if (isList(type)) return node.kind === 'list' && isAsWanted(inside(node, mapping, 0), type.element, rules);
  if (isMap(type)) {
    return (
      node.kind === 'map' &&
      isAsWanted(inside(node, mapping, 0), type.key, rules) &&
      isAsWanted(inside(node, mapping, 1), type.value, rules)
    );
  }
  return node.kind === 'primitive' && sameType(node.type, duckDbType(type));
}

/**
 * A column of a file as the table's schema has it now, found by field ids all the way down; what is null in the file stays null.
 *
 * @param column SQL of the column as the file has it
 * @throws LakeError('unsupported') where the file's column is of another shape than the schema's
 */
export function projectionSql(column: string, found: FoundNode, type: Type, rules: ProjectionRules): string {
  return projected(column, found, type, rules, 0);
}

function projected(sql: string, found: FoundNode, type: Type, rules: ProjectionRules, depth: number): string {
  if (isAsWanted(found, type, rules)) return sql;
  const { node, mapping } = found;
  const below = (at: 0 | 1, inner: string, innerType: Type): string =>
    projected(inner, inside(node, mapping, at), innerType, rules, depth + 1);
  const item = `x${depth}`;
  if (isStruct(type) && node.kind === 'struct') return structSql(sql, found, type, rules, depth);
  if (isList(type) && node.kind === 'list') {
    return `list_transform(${sql}, lambda ${item}: ${below(0, item, type.element)})`;
  }
  if (isMap(type) && node.kind === 'map') {
    const entry = `struct_pack(k := ${below(0, `${item}.key`, type.key)}, v := ${below(1, `${item}.value`, type.value)})`;
    return `map_from_entries(list_transform(map_entries(${sql}), lambda ${item}: ${entry}))`;
  }
  if (typeof type === 'string' && node.kind === 'primitive') return primitiveSql(sql, node.type, type);
  throw new LakeError(
    'unsupported',
    `The column "${node.name}" of a file is a ${node.kind}, which the table's schema has otherwise`,
    {
      where: rules.where,
      hint: 'Read the table with the engine that wrote the file.',
    },
  );
}

function structSql(
  sql: string,
  found: FoundNode,
  type: StructType,
  rules: ProjectionRules,
  depth: number,
): string {
  const children = nodesById(found.node.children, found.mapping, rules);
  const fields = type.fields.map((field: NestedField) => {
    const child = children.get(field.id);
    const value = child
      ? projected(`struct_extract_at(${sql}, ${child.place})`, child, field.type, rules, depth)
      : initialSql(field, rules.defaults);
    return `${quoteName(field.name)} := ${value}`;
  });
  return `CASE WHEN ${sql} IS NULL THEN NULL ELSE struct_pack(${fields.join(', ')}) END`;
}

/** Files of other writers may lack the annotations that make bytes a string or a uuid. */
function primitiveSql(sql: string, from: string, type: string): string {
  if (from === 'BLOB' && type === 'string') return `decode(${sql})`;
  if (from === 'BLOB' && type === 'uuid') return `CAST(hex(${sql}) AS UUID)`;
  return `CAST(${sql} AS ${duckDbType(type)})`;
}

/** A list's element, or a map's key or value: found by their place, whether or not they have ids. */
function inside(node: ShapeNode, mapping: NameMapping | undefined, at: 0 | 1): FoundNode {
  const child = node.children[at];
  if (child === undefined)
    throw new LakeError('internal', `the ${node.kind} ${node.name} has nothing inside`);
  const name = node.kind === 'list' ? 'element' : at === 0 ? 'key' : 'value';
  return { node: child, mapping: mapping?.fields.get(name), hasId: child.id !== null, place: at + 1 };
}

const sameType = (a: string, b: string): boolean => a.replaceAll(' ', '') === b.replaceAll(' ', '');

function withoutIds(nodes: readonly ShapeNode[], rules: ProjectionRules): LakeError {
  const names = nodes.map((node) => `"${node.name}"`).join(', ');
  return new LakeError(
    'unsupported',
    `A file has columns without field ids (${names}), and the table maps no names to ids for them`,
    {
      where: rules.where,
      hint: 'Set the table property schema.name-mapping.default with the engine that added the file, or write its rows anew.',
    },
  );
}

function ambiguous(id: number, node: ShapeNode, rules: ProjectionRules): LakeError {
  return new LakeError(
    'corrupt',
    `Two columns of a file are the table's field ${id}; one is "${node.name}"`,
    {
      where: rules.where,
      hint: 'Correct the table property schema.name-mapping.default, or write the file anew.',
    },
  );
}
