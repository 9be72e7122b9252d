import { LakeError } from '../errors.ts';
import { columnName, fieldsById, findField, type Schema } from './schema.ts';
import { canTransform, parseTransform, type Transform } from './transforms.ts';
import { describeType, type NestedField } from './types.ts';

/** What a predicate of the REST protocol tests: a column, or what a transform makes of it (REST spec: `Reference`, `Apply`, `Term`). */
export interface FilterTerm {
  readonly field: NestedField;
  readonly transformed: boolean;
}

interface Names {
  readonly schema: Schema;
  readonly caseSensitive: boolean;
}

/** True for the JSON of a term that cannot be a literal. */
export function isTerm(json: unknown): boolean {
  const type = typeOf(json);
  return type === 'reference' || type === 'apply' || type === 'transform';
}

/** @throws LakeError('invalid-argument') for what is no term, and columns and functions that are not known. */
export function termOf(json: unknown, names: Names): FilterTerm {
  if (typeof json === 'string') return { field: named(json, names), transformed: false };
  const members =
    typeof json === 'object' && json !== null ? (json as Readonly<Record<string, unknown>>) : {};
  switch (members['type']) {
    case 'reference':
      return { field: referenced(members, names), transformed: false };
    case 'transform':
      return transformed(String(members['transform']), members['term'], names);
    case 'apply':
      return applied(members['function'], members['arguments'], names);
    default:
      throw refused('a predicate names no column: it has neither a reference nor a term');
  }
}

/** The spec has `name` or `id`; older clients say `term`. */
function referenced(members: Readonly<Record<string, unknown>>, names: Names): NestedField {
  const { id } = members;
  if (typeof id === 'number') {
    const field = fieldsById(names.schema).get(id);
    if (field !== undefined) return field;
    throw refused(`there is no column with id ${id}`);
  }
  return named(members['name'] ?? members['term'], names);
}

function named(name: unknown, { schema, caseSensitive }: Names): NestedField {
  if (typeof name !== 'string') throw refused('a reference names no column');
  const field = findField(schema, name, { caseSensitive });
  if (field !== null) return field;
  throw refused(`there is no column ${name.slice(0, 100)}`);
}

function transformed(text: string, source: unknown, names: Names): FilterTerm {
  const { field } = termOf(source, names);
  const transform = knownTransform(text);
  if (!canTransform(transform, field.type)) {
    const column = columnName(names.schema, field.id);
    throw refused(`${text} does not take column ${column} of type ${describeType(field.type)}`);
  }
  return { field, transformed: transform.kind !== 'identity' };
}

/** `bucket` and `truncate` take their number beside the column. */
function applied(name: unknown, json: unknown, names: Names): FilterTerm {
  if (typeof name !== 'string') throw refused('a function is none of the transforms of the Iceberg spec');
  const given: readonly unknown[] = Array.isArray(json) ? json : [];
  const [source, ...others] = given.filter(isTerm);
  if (source === undefined || others.length > 0) throw refused(`${name.slice(0, 100)} takes one column`);
  const [parameter] = given.filter((argument) => !isTerm(argument)).map(numberOf);
  return transformed(parameter === undefined ? name : `${name}[${parameter}]`, source, names);
}

function numberOf(json: unknown): unknown {
  return typeOf(json) === 'literal' ? (json as Readonly<Record<string, unknown>>)['value'] : json;
}

function knownTransform(text: string): Transform {
  const transform = parseTransform(text);
  if (transform.kind !== 'unknown') return transform;
  throw refused(`the function ${text.slice(0, 100)} is not known`);
}

function typeOf(json: unknown): unknown {
  return typeof json === 'object' && json !== null && 'type' in json ? json.type : undefined;
}

function refused(reason: string): LakeError {
  return new LakeError('invalid-argument', `Invalid filter: ${reason}`, {
    hint: 'Nothing was planned: name columns of the schema, and year, month, day, hour, bucket, truncate or identity.',
  });
}
