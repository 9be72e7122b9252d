import { LakeError } from '../errors.ts';
import { parseJson } from './json.ts';

/** Field ids for the columns of files that hold none, by the names these have there (spec: "Column Projection"). */
export interface NameMapping {
  readonly id?: number;
  /** What is in a struct by name; of a list `element`, of a map `key` and `value`. */
  readonly fields: ReadonlyMap<string, NameMapping>;
}

/** The table property that holds the mapping. */
export const NAME_MAPPING_PROPERTY = 'schema.name-mapping.default';

/**
 * Reads a table's name mapping (spec: appendix C, "Name Mapping Serialization").
 *
 * @throws LakeError('corrupt') for text that is none, or that gives a name to two fields of one struct
 */
export function parseNameMapping(text: string): NameMapping {
  return { fields: mappedFields(parseJson(text)) };
}

function mappedFields(json: unknown): Map<string, NameMapping> {
  if (!Array.isArray(json)) throw corrupt('a list of fields was expected');
  const fields = new Map<string, NameMapping>();
  for (const item of json) {
    const { names, id, fields: nested } = mappedField(item);
    for (const name of names) {
      if (fields.has(name)) throw corrupt(`it gives the name "${name}" to two fields`);
      fields.set(name, { ...(id === undefined ? {} : { id }), fields: nested });
    }
  }
  return fields;
}

function mappedField(item: unknown): NameMapping & { readonly names: readonly string[] } {
  if (typeof item !== 'object' || item === null || !('names' in item) || !Array.isArray(item.names)) {
    throw corrupt('a field has no list of names');
  }
  const names = item.names.map((name: unknown) => {
    if (typeof name !== 'string') throw corrupt('a name is no text');
    return name;
  });
  const id = 'field-id' in item ? item['field-id'] : undefined;
  if (id !== undefined && id !== null && typeof id !== 'number') throw corrupt('a field id is no number');
  const nested = 'fields' in item && item.fields !== null ? item.fields : [];
  return { names, ...(typeof id === 'number' ? { id } : {}), fields: mappedFields(nested) };
}

function corrupt(reason: string): LakeError {
  return new LakeError(
    'corrupt',
    `The table property ${NAME_MAPPING_PROPERTY} is no name mapping: ${reason}`,
    {
      hint: 'Correct the property; nothing was read.',
    },
  );
}
