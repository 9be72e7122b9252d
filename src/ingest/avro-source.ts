import { LakeError } from '../errors.ts';
import { nearestName } from '../iceberg/nearest-name.ts';
import type { Schema } from '../iceberg/schema.ts';
import { type AvroJson, readAvroStream } from './avro-blocks.ts';
import { fieldReaders, recordFields } from './avro-value.ts';
import type { Chunk } from './decoded-row.ts';
import { fittedRow } from './fitted-row.ts';
import { Misfit } from './misfit.ts';

/** The rows of an Avro object container file, by the names of its record's fields. Errors: `corrupt` for a damaged file, `invalid-argument` for fields that do not fit the table. */
export async function* avroRows(
  name: string,
  bytes: AsyncIterable<Uint8Array>,
  schema: Schema,
): AsyncGenerator<Chunk> {
  const avro = await readAvroStream(name, bytes);
  const readers = columnReaders(name, avro.schema, schema);
  let record = 0;
  for await (const values of avro.blocks) {
    yield {
      rows: values.map((value) =>
        fittedRow(
          schema,
          readers.map((read) => read(value)),
          ++record,
        ),
      ),
    };
  }
}

function columnReaders(
  name: string,
  avro: AvroJson,
  schema: Schema,
): ((value: unknown) => ReturnType<ReturnType<typeof fieldReaders>[number]>)[] {
  if (typeof avro === 'string' || Array.isArray(avro) || !('fields' in avro)) {
    throw new LakeError('invalid-argument', 'The Avro file holds no records', {
      where: name,
      hint: 'Nothing was committed.',
    });
  }
  const names = schema.fields.map((field) => field.name);
  for (const field of recordFields(avro)) {
    if (names.includes(field.name)) continue;
    const near = nearestName(field.name, names);
    throw new LakeError('invalid-argument', `The table has no column "${field.name}"`, {
      where: name,
      hint:
        near === null
          ? `Its columns are ${names.join(', ')}.`
          : `Did you mean "${near}"? --evolve adds new columns.`,
    });
  }
  try {
    return fieldReaders(schema.fields, avro, new Map(), schema);
  } catch (error) {
    if (!(error instanceof Misfit)) throw error;
    throw new LakeError('invalid-argument', `A column's type does not fit: ${error.value} ${error.message}`, {
      where: name,
      hint: 'Nothing was committed. Write the file with the types of the table.',
    });
  }
}
