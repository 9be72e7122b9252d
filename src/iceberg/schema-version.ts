import { LakeError } from '../errors.ts';
import { columnName, fieldsById, type Schema } from './schema.ts';

/** Types of v3 (spec: "Primitive Types", "Semi-structured Types"), without their parameters. */
const VERSION_3_TYPES: ReadonlySet<string> = new Set([
  'timestamp_ns',
  'timestamptz_ns',
  'unknown',
  'variant',
  'geometry',
  'geography',
]);

/**
 * Checks that tables of the format version may have the schema: older readers would fail on types, or
 * silently read null for defaults, that they do not know.
 *
 * @throws LakeError('invalid-argument') naming the column.
 */
export function checkSchemaVersion(schema: Schema, formatVersion: number): void {
  if (formatVersion >= 3) return;
  for (const field of fieldsById(schema).values()) {
    const type = typeof field.type === 'string' ? field.type.replace(/\(.*/, '') : field.type.type;
    if (VERSION_3_TYPES.has(type)) refuse(schema, field.id, `has the type ${type}`, formatVersion);
    if ((field['initial-default'] ?? null) !== null) {
      refuse(schema, field.id, 'has an initial default', formatVersion);
    }
  }
}

function refuse(schema: Schema, fieldId: number, what: string, formatVersion: number): never {
  throw new LakeError(
    'invalid-argument',
    `column ${columnName(schema, fieldId)} ${what}, which format version ${formatVersion} does not have`,
    { hint: 'upgrade the table to format version 3, or change the column; nothing was changed' },
  );
}
