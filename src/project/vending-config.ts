import { z } from 'zod';
import { durationHint, durationMs, isDuration, parseDuration } from '../policy/duration.ts';
import type { Problem } from './yaml-file.ts';

const DEFAULT_DURATION = '1h';
/** What AWS takes (AssumeRole, `DurationSeconds`). */
const LEAST_SECONDS = 900;
const MOST_SECONDS = 43_200;

/** `catalog.serve.allowed_locations`: prefixes besides the warehouse and the tiers. */
export const allowedLocationsFile = z.array(
  z.string().regex(/^(?:\/|(?:file|s3):\/\/)/, 'a location such as s3://bucket/prefix'),
);

/** `catalog.serve.vending`: how clients get at tables' objects on S3 without keys of their own. */
export const vendingFile = z.strictObject({
  duration: z
    .string()
    .refine(isDuration, { error: (issue) => `no duration: ${durationHint(String(issue.input))}` })
    .optional(),
  remote_signing: z.boolean().optional(),
});

type VendingFile = z.infer<typeof vendingFile>;

export interface VendingConfig {
  readonly durationSeconds: number;
  readonly signs: boolean;
}

export function vendingConfig({ duration, remote_signing }: VendingFile = {}): VendingConfig {
  return { durationSeconds: secondsOf(duration), signs: remote_signing ?? false };
}

type ProblemAt = (path: readonly string[], message: string, hint: string) => Problem;

/** What is off in the meaning of `catalog.serve.vending`. */
export function vendingProblems(file: VendingFile | undefined, problemAt: ProblemAt): Problem[] {
  const seconds = secondsOf(file?.duration);
  if (seconds >= LEAST_SECONDS && seconds <= MOST_SECONDS) return [];
  const path = ['catalog', 'serve', 'vending', 'duration'];
  return [
    problemAt(path, 'credentials live from 15 minutes to 12 hours', `write one such as ${DEFAULT_DURATION}`),
  ];
}

function secondsOf(duration: string = DEFAULT_DURATION): number {
  return Math.floor(durationMs(parseDuration(duration)) / 1000);
}
