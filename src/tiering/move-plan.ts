import { createHash } from 'node:crypto';
import { z } from 'zod';
import { LakeError } from '../errors.ts';
import { parseJson } from '../iceberg/json.ts';
import type { GovernedTable, TierPlan } from '../policy/evaluate.ts';
import type { PolicySet } from '../policy/policy-set.ts';

/** A table of a plan as it was when the plan was made. */
export interface PlannedTable extends GovernedTable {
  readonly uuid: string;
  readonly metadata_location: string | null;
  readonly snapshot_id: string | null;
}

/** A plan whose tables can be known again. */
export interface MovePlan extends TierPlan {
  readonly tables: readonly PlannedTable[];
}

/** A plan as `lake tier plan --out FILE` writes it. */
export interface PlanFile extends MovePlan {
  readonly version: 1;
  /** Wall clock, ISO 8601. */
  readonly 'created-at': string;
  /** What the policy's clock showed. */
  readonly now: string;
  /** Of the policies that the plan follows from. */
  readonly 'policy-digest': string;
}

const count = z.int().min(0);
const planFileSchema = z.object({
  version: z.literal(1),
  'created-at': z.string(),
  now: z.string(),
  'policy-digest': z.string(),
  moves: z.array(
    z.object({
      table: z.string(),
      partition: z.string(),
      from: z.string(),
      to: z.string(),
      files: count,
      bytes: count,
      reason: z.string(),
      paths: z.array(z.string()),
    }),
  ),
  kept: z.array(z.object({ table: z.string(), partition: z.string(), tier: z.string(), reason: z.string() })),
  tables: z.array(
    z.object({
      table: z.string(),
      policy: z.string(),
      grace_ms: count,
      uuid: z.string(),
      metadata_location: z.string().nullable(),
      snapshot_id: z.string().nullable(),
    }),
  ),
});

/** A plan with what it was made from. Times in ms since 1970. */
export function toPlanFile(
  plan: MovePlan,
  policies: PolicySet,
  times: { readonly createdMs: number; readonly nowMs: number },
): PlanFile {
  return {
    version: 1,
    'created-at': new Date(times.createdMs).toISOString(),
    now: new Date(times.nowMs).toISOString(),
    'policy-digest': policyDigest(policies),
    ...plan,
  };
}

/** A plan file's content. Errors: `invalid-file` for what is none. */
export function parsePlanFile(text: string, file: string): PlanFile {
  const parsed = planFileSchema.safeParse(plainJson(text, file));
  const issue = parsed.error?.issues[0];
  if (parsed.success && parsed.data.moves.every((move) => move.paths.length === move.files))
    return parsed.data;
  const what =
    issue === undefined
      ? 'a move does not name all its files'
      : `${issue.path.join('.') || 'it'}: ${issue.message.replace(/, received undefined$/, ', and it is missing')}`;
  throw notAPlan(what, file);
}

/** The same for policies that say the same, whatever their files look like. */
export function policyDigest({ policies, tiers }: PolicySet): string {
  const said = policies.map(({ file: _file, where: _where, ...policy }) => policy);
  return createHash('sha256')
    .update(JSON.stringify({ policies: said, tiers }))
    .digest('hex');
}

function plainJson(text: string, file: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    throw notAPlan(error instanceof Error ? error.message : String(error), file);
  }
}

function notAPlan(what: string, file: string): LakeError {
  return new LakeError('invalid-file', `This is no plan: ${what}`, {
    where: file,
    hint: 'Make one with: lake tier plan --out FILE; a plan is not to be edited by hand.',
  });
}
