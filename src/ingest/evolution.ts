import { LakeError } from '../errors.ts';
import type { Schema } from '../iceberg/schema.ts';
import type { SchemaChange } from '../iceberg/schema-evolution.ts';
import { decimalParameters, type NestedField, type Type } from '../iceberg/types.ts';
import { type CsvOptions, csvRecords } from './csv-records.ts';
import { avroColumns, type FileColumn, parquetColumns } from './file-columns.ts';
import { formatOf, type IngestFormat } from './format.ts';
import { type InputFile, inputBytes } from './input-bytes.ts';
import { isJsonObject, jsonCell, jsonText, parseJsonLine } from './json-value.ts';
import { Misfit } from './misfit.ts';
import { textLines } from './text-lines.ts';
import { textCell } from './text-value.ts';

export interface EvolutionRequest {
  readonly files: readonly string[];
  readonly format?: IngestFormat;
  readonly csv: CsvOptions;
}

/** Reads a value as a type, or throws a Misfit. */
type Reads = (type: Type, value: unknown) => unknown;

/**
 * What a table's columns must become to hold the files' rows: new columns (optional), int to long, float to double, decimals of more digits. Nothing is dropped or narrowed. CSV and JSON lines are read once for
 * it, and again to take their rows; Avro and Parquet declare their types.
 *
 * @throws LakeError `usage` for standard input, `unsupported` for an Avro codec, `corrupt`, `not-found`
 */
export async function evolutionOf(request: EvolutionRequest, schema: Schema): Promise<SchemaChange[]> {
  const columns = await needsOf(request, schema, '--evolve');
  return [...columns].flatMap(([name, found]) => found.changes(name));
}

/**
 * The columns of a table for the files' rows, in the order in which they come: what Avro and Parquet declare; of CSV and JSON lines the first of boolean, long,
 * double, date, timestamp, timestamptz and string that holds all values. All are optional.
 *
 * @throws LakeError `unsupported` for a column that no type holds, `invalid-argument` for files without columns, and those of `evolutionOf`
 */
export async function columnsOf(request: EvolutionRequest): Promise<NestedField[]> {
  const empty: Schema = { type: 'struct', 'schema-id': 0, fields: [] };
  const columns = await needsOf(request, empty, '--create');
  if (columns.size === 0) {
    throw new LakeError('invalid-argument', 'The files have no columns', {
      where: request.files.join(', '),
      hint: 'No table was made.',
    });
  }
  return [...columns].map(([name, need]) => ({ id: 0, name, required: false, type: need.typeOf(name) }));
}

async function needsOf(
  request: EvolutionRequest,
  schema: Schema,
  option: '--create' | '--evolve',
): Promise<ReadonlyMap<string, ColumnNeed>> {
  const columns = new Map<string, ColumnNeed>();
  const need = (name: string): ColumnNeed => {
    let found = columns.get(name);
    if (!found) {
      found = new ColumnNeed(schema.fields.find((field) => field.name === name) ?? null);
      columns.set(name, found);
    }
    return found;
  };
  for (const name of request.files) {
    if (name === '-')
      throw new LakeError('usage', `${option} reads its files twice, so that standard input will not do`, {
        hint: 'Save it under a name first.',
      });
    await observers[request.format ?? formatOf(name)]({ name }, need, request.csv);
  }
  return columns;
}

type Observe = (input: InputFile, need: (name: string) => ColumnNeed, csv: CsvOptions) => Promise<void>;

const observers: Record<IngestFormat, Observe> = {
  csv: observeCsv,
  jsonl: observeJsonLines,
  avro: observing(avroColumns),
  parquet: observing(parquetColumns),
};

/** A file that knows its types: no row is read for them. */
function observing(columns: (input: InputFile) => Promise<FileColumn[]>): Observe {
  return async (input, need) => {
    for (const { name, type } of await columns(input)) need(name).require(type);
  };
}

async function observeCsv(
  input: InputFile,
  need: (name: string) => ColumnNeed,
  csv: CsvOptions,
): Promise<void> {
  let header: ColumnNeed[] | null = null;
  for await (const records of csvRecords(input.name, inputBytes(input), csv)) {
    for (const record of records) {
      if (header === null) header = record.fields.map((name) => need(name ?? ''));
      else if (record.fields.length === header.length)
        record.fields.forEach((text, i) => {
          if (text !== null) header?.[i]?.observe(text, (type, value) => textCell(type, String(value)));
        });
    }
  }
}

async function observeJsonLines(input: InputFile, need: (name: string) => ColumnNeed): Promise<void> {
  for await (const lines of textLines(input.name, inputBytes(input))) {
    for (const { text, fault } of lines) {
      const { value } = fault === null ? parseJsonLine(text) : { value: null };
      if (!isJsonObject(value)) continue;
      for (const [name, item] of Object.entries(value)) if (item !== null) need(name).observe(item, jsonCell);
    }
  }
}

/** Types that a new column may have, the first that holds all its values. */
const GUESSES: readonly Type[] = ['boolean', 'long', 'double', 'date', 'timestamp', 'timestamptz', 'string'];

const DECIMAL_DIGITS = 38;

/** What one column must hold. */
class ColumnNeed {
  readonly #field: NestedField | null;
  /** Types that still hold all values seen. */
  #candidates: Type[];
  #seen = false;
  #nested = false;
  /** Of a new column: what a file declares that is no plain type. */
  #declared: { readonly type: Type | null } | null = null;

  constructor(field: NestedField | null) {
    this.#field = field;
    this.#candidates = field === null ? [...GUESSES] : [field.type, ...wider(field.type)];
  }

  observe(value: unknown, read: Reads): void {
    if (this.#candidates.length < 2 && this.#field !== null) return;
    this.#seen = true;
    if (typeof value === 'object' && !Array.isArray(value) && jsonText(value).startsWith('{'))
      this.#nested = true;
    if (Array.isArray(value)) this.#nested = true;
    const left = this.#candidates.filter((type) => holds(type, value, read));
    // A value that none holds is a bad row, told when the rows are taken.
    if (left.length > 0) this.#candidates = left;
  }

  /** Takes values of a type as a file declares them. A type that cannot be had, or changed, is told when the rows are taken. */
  require(type: Type | null): void {
    if (type === null || typeof type !== 'string') {
      if (this.#field === null) this.#declared ??= { type };
      return;
    }
    if (this.#field === null && !this.#seen) this.#candidates = [type, ...wider(type)];
    this.#seen = true;
    const at = this.#candidates.indexOf(type);
    if (at > 0) this.#candidates = this.#candidates.slice(at);
  }

  /** Its type in a new table. Errors: `unsupported`. */
  typeOf(name: string): Type {
    const { type } = this.#declared ?? { type: this.#seen ? this.#candidates[0] : 'string' };
    if (name === '' || this.#nested || type === null) throw ofNoType(name);
    return type ?? 'string';
  }

  changes(name: string): SchemaChange[] {
    const [type = 'string'] = this.#candidates;
    if (this.#field === null) {
      if (name === '' || this.#nested || this.#declared !== null) return [];
      return [{ action: 'add-column', name, type: this.#seen ? type : 'string' }];
    }
    return type === this.#field.type ? [] : [{ action: 'widen-column', column: name, type }];
  }
}

const ofNoType = (name: string): LakeError =>
  new LakeError('unsupported', `No column type holds what "${name}" has`, {
    hint: 'Objects and lists of JSON, unions, nanoseconds and unsigned 64-bit integers are not taken as they are. Make the table yourself, or write the column otherwise; no table was made.',
  });

function wider(type: Type): Type[] {
  if (type === 'int') return ['long'];
  if (type === 'float') return ['double'];
  const decimal = decimalParameters(type);
  if (decimal === null) return [];
  const more = DECIMAL_DIGITS - decimal.precision;
  return Array.from({ length: more }, (_, i) => `decimal(${decimal.precision + i + 1}, ${decimal.scale})`);
}

function holds(type: Type, value: unknown, read: Reads): boolean {
  try {
    read(type, value);
    return true;
  } catch (error) {
    if (error instanceof Misfit) return false;
    throw error;
  }
}
