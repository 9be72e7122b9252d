import { z } from 'zod';

/**
 * The YAML beside a model's SQL. What a model reads is taken from its SQL; this file says how the result is
 * stored and what must hold for it.
 */
const columnName = z.string().min(1);

const scalar = z.union([z.string(), z.number(), z.boolean()]);

/** `warn`: the offenders are told and recorded, and stop nothing. */
const severity = z.enum(['error', 'warn']).optional();

const ratio = z.number().nonnegative();

const columnCheck = z.union([
  z.enum(['not_null', 'unique']),
  z.strictObject({ not_null: z.literal(true), severity }),
  z.strictObject({ unique: z.literal(true), severity }),
  z
    .strictObject({
      accepted_range: z
        .strictObject({
          min: z.union([z.number(), z.string()]).optional(),
          max: z.union([z.number(), z.string()]).optional(),
        })
        .refine((range) => range.min !== undefined || range.max !== undefined, 'write min, max or both'),
      severity,
    })
    .meta({ description: 'both ends belong to the range; nulls pass' }),
  z.strictObject({ accepted_values: z.array(scalar).min(1), severity }),
  z
    .strictObject({ relationships: z.strictObject({ to: z.string().min(1), field: columnName }), severity })
    .meta({ description: 'every value stands in the other table; nulls pass' }),
  z
    .strictObject({ freshness: z.strictObject({ max_age: z.string().min(1) }), severity })
    .meta({ description: "the newest value is at most so old by the policy's clock (--now)" }),
]);

const tableCheck = z.union([
  z.strictObject({ unique: z.array(columnName).min(1), severity }),
  z.strictObject({ not_null: z.array(columnName).min(1), severity }),
  z.strictObject({
    row_count_ratio: z
      .strictObject({ to: z.string().min(1), min: ratio.optional(), max: ratio.optional() })
      .refine((range) => range.min !== undefined || range.max !== undefined, 'write min, max or both'),
    severity,
  }),
]);

/** How changes make a history (materialisation scd2); every name may be left out. */
const scd2 = z.strictObject({
  effective_at: columnName.optional(),
  tracked: z.array(columnName).optional(),
  order_by: z.array(columnName).min(1).optional(),
  deleted: columnName.optional(),
  surrogate_key: columnName.optional(),
  effective_from: columnName.optional(),
  effective_to: columnName.optional(),
  is_current: columnName.optional(),
});

const materialisation = z.enum(['append', 'upsert', 'scd2', 'replace_partitions', 'full']);

const source = z.strictObject({
  /** A path or glob below the project's folder, or an absolute one. */
  path: z.string().min(1),
  format: z.enum(['parquet', 'csv', 'json']),
  /** Handed to DuckDB's reader of the format. */
  options: z
    .record(z.string().regex(/^[a-z_]+$/, 'an option of the reader, in lower case'), scalar)
    .optional(),
  /** false: no file yet is fine. */
  required: z.boolean().default(true),
});

export const modelFile = z
  .strictObject({
    version: z.literal(1),
    description: z.string().optional(),
    source: source.optional(),
    materialisation,
    /** What runs the SQL, in the engine's own words: the embedded one (default), or the Trino server of lake.yaml. */
    engine: z.enum(['duckdb', 'trino']).optional(),
    /** The natural key; checked to be unique and not null. */
    key: z.array(columnName).min(1).optional(),
    scd2: scd2.optional(),
    /** Column names or transforms: `day(flight_time)`, `bucket(16, id)`. */
    partition_by: z.array(z.string().min(1)).optional(),
    sort_by: z
      .array(z.string().regex(/^\w+( (asc|desc))?$/, 'a column, or a column and asc or desc'))
      .optional(),
    columns: z
      .array(
        z.strictObject({
          name: columnName,
          description: z.string().optional(),
          checks: z.array(columnCheck).optional(),
        }),
      )
      .optional(),
    checks: z.array(tableCheck).optional(),
    tags: z.record(z.string(), z.string()).optional(),
  })
  .meta({ title: 'Lakewarden model file', description: 'How a model of the pipeline is stored and checked' });

/** The JSON Schema of a model's yml, as `schemas/model.schema.json` holds it for editors. */
export function modelJsonSchema(): unknown {
  return z.toJSONSchema(modelFile, { io: 'input' });
}

export type ModelFile = z.infer<typeof modelFile>;
export type ModelSource = z.infer<typeof source>;
export type ColumnCheck = z.infer<typeof columnCheck>;
export type TableCheck = z.infer<typeof tableCheck>;
export type Materialisation = z.infer<typeof materialisation>;
