import { z } from 'zod';
import { DURATION_HINT, durationHint, isDuration } from './duration.ts';

/** The policy file as stewards write it (DESIGN 6): its shape alone; `policy-findings.ts` checks what it means. */
const duration = z.string({ error: `a duration: ${DURATION_HINT}` }).refine(isDuration, {
  error: ({ input }) => `"${String(input)}" is no duration: ${durationHint(String(input))}`,
});

const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'letters, digits, dot, _ and - only');
const count = z.int().min(1);
const byteSize = z.string().regex(/^\d+(\.\d+)?\s*[KMGT]?i?B$/, 'a size such as 256MB');
const oneOrMore = <T extends z.ZodType>(item: T) => z.union([item, z.array(item).min(1)]);
const day = z.string().regex(/^\d{4}-\d{2}-\d{2}$/, 'a day such as 2024-01-31');

export const policyMatchSchema = z.strictObject({
  layer: oneOrMore(z.enum(['bronze', 'silver', 'gold'])).optional(),
  tables: oneOrMore(z.string().min(1)).optional(),
  exclude: oneOrMore(z.string().min(1)).optional(),
  tags: z.record(z.string(), oneOrMore(z.string())).optional(),
});

const age = z.union([
  z.strictObject({ from: z.enum(['partition', 'commit']) }),
  z.strictObject({ column: z.string().min(1) }),
]);

const inheritable = {
  grace: duration.optional(),
  snapshots: z
    .strictObject({
      min_to_keep: count.optional(),
      max_age: duration.optional(),
      max_ref_age: duration.optional(),
    })
    .optional(),
  age: age.optional(),
  transitions: z.array(z.strictObject({ to: name, after: duration })).optional(),
  retention: z.strictObject({ delete_after: duration }).optional(),
  orphans: z.strictObject({ older_than: duration }).optional(),
  compaction: z
    .strictObject({
      target_file_size: byteSize.optional(),
      min_input_files: count.optional(),
      sort_by: z.array(z.string().min(1)).optional(),
      engine: z.enum(['auto', 'duckdb', 'trino']).optional(),
    })
    .optional(),
  schedule: z.string().min(1).optional(),
};

export const policyFileSchema = z
  .strictObject({
    version: z.literal(1),
    defaults: z.strictObject(inheritable).optional(),
    policies: z
      .array(
        z.strictObject({
          name,
          owner: z.string().optional(),
          priority: z.int().optional(),
          match: policyMatchSchema,
          ...inheritable,
        }),
      )
      .optional(),
    holds: z
      .array(
        z.strictObject({
          name,
          tables: z.array(z.string().min(1)).min(1),
          partitions: z.strictObject({ from: day.optional(), to: day.optional() }).optional(),
          until: day.optional(),
          reason: z.string().min(1),
        }),
      )
      .optional(),
  })
  .meta({ title: 'Lakewarden policy file', description: 'How long tables stay in which storage tier' });

export type PolicyFile = z.infer<typeof policyFileSchema>;
type Rule = NonNullable<PolicyFile['policies']>[number];
export type PolicyDefaults = NonNullable<PolicyFile['defaults']>;
export type PolicyMatch = Rule['match'];
export type PolicyRule = Rule;

/** The JSON Schema of a policy file, as `policies/policy.schema.json` holds it for editors. */
export function policyJsonSchema(): unknown {
  return z.toJSONSchema(policyFileSchema, { io: 'input' });
}
