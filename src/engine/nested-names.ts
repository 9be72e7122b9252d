import { LakeError } from '../errors.ts';
import type { Schema } from '../iceberg/schema.ts';
import { fieldsById } from '../iceberg/schema.ts';
import type { TableMetadata } from '../iceberg/table-metadata.ts';
import type { NestedField, Type } from '../iceberg/types.ts';

function* structFields(type: Type): Iterable<NestedField> {
  if (typeof type === 'string') return;
  if (type.type === 'struct') {
    for (const field of type.fields) {
      yield field;
      yield* structFields(field.type);
    }
  } else if (type.type === 'list') yield* structFields(type.element);
  else {
    yield* structFields(type.key);
    yield* structFields(type.value);
  }
}

/**
 * Refuses a table whose files may name a nested field otherwise than the schema does: the engine finds columns by field id, but the fields inside
 * them by name, and would show nulls, or another field's values. Also a table whose files may lack ids (it has a name mapping).
 */
export function checkNestedNames(metadata: TableMetadata, schema: Schema): void {
  if (metadata.properties['schema.name-mapping.default'] !== undefined) {
    throw new LakeError(
      'unsupported',
      'The table has a name mapping: its files may hold no field ids, and this version reads columns by id only',
      {
        hint: 'Rewrite its data files with another engine, then remove the property schema.name-mapping.default.',
      },
    );
  }
  for (const column of schema.fields) {
    const wanted = new Map([...structFields(column.type)].map((field) => [field.id, field.name]));
    for (const other of metadata.schemas) {
      const before = fieldsById(other).get(column.id);
      if (!before) continue;
      checkSameNames(column, wanted, before);
    }
  }
}

function checkSameNames(column: NestedField, wanted: ReadonlyMap<number, string>, before: NestedField): void {
  const oldFields = [...structFields(before.type)];
  for (const field of oldFields) {
    const name = wanted.get(field.id);
    const renamed = name !== undefined && name !== field.name;
    const reused =
      name === undefined &&
      [...wanted].some(([id, other]) => other === field.name && !oldFields.some((old) => old.id === id));
    if (!renamed && !reused) continue;
    throw new LakeError(
      'unsupported',
      `A field inside the column "${column.name}" was renamed or made anew under its old name ("${field.name}"), which this version cannot read`,
      {
        hint: 'Read the table with another engine, or leave the nested field under the name it had.',
      },
    );
  }
}
