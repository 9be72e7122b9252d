import { LakeError } from '../errors.ts';
import { nearestName } from './nearest-name.ts';
import { type NestedField, type Type, validateType } from './types.ts';

const NAMES = [
  'boolean',
  'int',
  'long',
  'float',
  'double',
  'date',
  'time',
  'timestamp',
  'timestamptz',
  'string',
];
const MORE_NAMES = ['uuid', 'binary', 'decimal', 'list', 'map', 'struct'];

/** The parts of a text between commas that stand in no bracket. */
function parts(text: string): string[] {
  const found: string[] = [];
  let [depth, start] = [0, 0];
  for (const [at, char] of [...text].entries()) {
    if ('<(['.includes(char)) depth++;
    if ('>)]'.includes(char)) depth--;
    if (char !== ',' || depth > 0) continue;
    found.push(text.slice(start, at));
    start = at + 1;
  }
  return [...found, text.slice(start)].map((part) => part.trim());
}

/**
 * A type as `describeType` writes it: `long`, `decimal(10, 2)`, `list<string>`, `map<string, int>`, `struct<a: int, b: list<long>>`. What is nested
 * is optional; ids are 0 and to be given out by whoever adds the type to a schema.
 *
 * @throws LakeError('invalid-argument') with the nearest type's name.
 */
export function parseType(text: string): Type {
  const trimmed = text.trim();
  const nested = /^(list|map|struct)\s*<(.*)>$/is.exec(trimmed);
  if (!nested) return primitive(trimmed);
  const inner = parts(nested[2] ?? '');
  const kind = nested[1]?.toLowerCase();
  if (kind === 'struct') return { type: 'struct', fields: inner.map(structField) };
  const [first, second] = inner;
  if (kind === 'list' && first !== undefined && inner.length === 1) {
    return { type: 'list', 'element-id': 0, 'element-required': false, element: parseType(first) };
  }
  if (kind === 'map' && first !== undefined && second !== undefined && inner.length === 2) {
    const [key, value] = [parseType(first), parseType(second)];
    return { type: 'map', 'key-id': 0, key, 'value-id': 0, 'value-required': false, value };
  }
  throw unknownType(text);
}

function structField(text: string): NestedField {
  const match = /^(\w+)\s*:\s*(.+)$/s.exec(text);
  if (!match) throw unknownType(text);
  return { id: 0, name: match[1] ?? '', required: false, type: parseType(match[2] ?? '') };
}

function primitive(text: string): Type {
  const type = text.toLowerCase();
  try {
    validateType(type);
  } catch (error) {
    throw unknownType(text, error);
  }
  return type;
}

function unknownType(text: string, cause?: unknown): LakeError {
  const near = nearestName(text.replace(/[<(].*$/s, ''), [...NAMES, ...MORE_NAMES]);
  const list = `Types are ${NAMES.join(', ')}, uuid, binary, decimal(P, S), list<T>, map<K, V>, struct<a: T, …>.`;
  return new LakeError('invalid-argument', `"${text}" is not a type`, {
    cause,
    hint: `${near === null || near === text ? '' : `Did you mean ${near}? `}${list}`,
  });
}
