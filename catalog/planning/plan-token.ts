import { deflateRawSync, inflateRawSync } from 'node:zlib';
import * as z from 'zod';
import { parseJson, stringifyJson } from '../../src/iceberg/json.ts';
import type { PinnedScan } from './scan-request.ts';

/*
 * Plan ids and plan tasks are tokens that hold all that they ask for, so that any replica answers them, at any time, after any restart,
 * and nothing is kept for them. They are not signed: a token asks for no more than its bearer could ask by a new plan of the same
 * table, whose uuid is in it and is compared with the table in the path.
 */

/** A piece of a snapshot's manifest list: manifests by their place in it, which a move between tiers keeps. */
export interface ManifestPart {
  readonly snapshotId: bigint;
  readonly manifests: readonly number[];
  /** Entries [from, to) of the one manifest, to its end for null; all of them if absent. */
  readonly entries?: { readonly from: number; readonly to: number | null };
}

/** A place in the manifest lists of a scan. */
export interface ListPosition {
  readonly snapshotId: bigint;
  readonly manifest: number;
}

export interface PlanTicket {
  readonly planId: string;
  readonly tableUuid: string;
  readonly issuedAtMs: number;
  readonly scan: PinnedScan;
  /** What a task holds: files of these manifests, or all that comes from a place on, which is cut further. Neither in a plan id. */
  readonly parts?: readonly ManifestPart[];
  readonly rest?: ListPosition;
}

/** No token is larger when unpacked; what says otherwise is a bomb. */
const MAX_TEXT_BYTES = 8 * 1024 * 1024;

const id = z
  .string()
  .regex(/^-?\d{1,19}$/)
  .transform(BigInt);
const index = z.int().min(0);
const shape = z.tuple([
  z.literal(1),
  z.string(),
  z.string(),
  z.int(),
  z.object({
    s: id.nullable(),
    a: id.nullable(),
    k: z.int(),
    c: z.boolean(),
    f: z.unknown().optional(),
    g: z.array(z.int()),
  }),
  z.object({
    p: z
      .array(z.object({ s: id, m: z.array(index).min(1), e: z.tuple([index, index.nullable()]).optional() }))
      .min(1)
      .optional(),
    r: z.tuple([id, index]).optional(),
  }),
]);

export function encodeTicket(ticket: PlanTicket): string {
  const { planId, tableUuid, issuedAtMs, scan, parts, rest } = ticket;
  const { snapshotId, afterId, schemaId, caseSensitive, filter, statsIds } = scan;
  const text = stringifyJson([
    1,
    planId,
    tableUuid,
    issuedAtMs,
    {
      s: snapshotId === null ? null : String(snapshotId),
      a: afterId === null ? null : String(afterId),
      k: schemaId,
      c: caseSensitive,
      f: filter,
      g: statsIds,
    },
    {
      ...(parts === undefined ? {} : { p: parts.map(partText) }),
      ...(rest === undefined ? {} : { r: [String(rest.snapshotId), rest.manifest] }),
    },
  ]);
  return deflateRawSync(text).toString('base64url');
}

function partText({ snapshotId, manifests, entries }: ManifestPart): object {
  const range = entries === undefined ? {} : { e: [entries.from, entries.to] };
  return { s: String(snapshotId), m: manifests, ...range };
}

/** Null for what is no token of ours. */
export function decodeTicket(token: string): PlanTicket | null {
  const json = unpacked(token);
  const read = shape.safeParse(json);
  if (!read.success) return null;
  const [, planId, tableUuid, issuedAtMs, scan, { p, r }] = read.data;
  return {
    planId,
    tableUuid,
    issuedAtMs,
    scan: {
      snapshotId: scan.s,
      afterId: scan.a,
      schemaId: scan.k,
      caseSensitive: scan.c,
      statsIds: scan.g,
      ...(scan.f === undefined ? {} : { filter: scan.f }),
    },
    ...(p === undefined
      ? {}
      : {
          parts: p.map(({ s, m, e }) => ({
            snapshotId: s,
            manifests: m,
            ...(e === undefined ? {} : { entries: { from: e[0], to: e[1] } }),
          })),
        }),
    ...(r === undefined ? {} : { rest: { snapshotId: r[0], manifest: r[1] } }),
  };
}

function unpacked(token: string): unknown {
  try {
    const bytes = inflateRawSync(Buffer.from(token, 'base64url'), { maxOutputLength: MAX_TEXT_BYTES });
    return parseJson(bytes.toString());
  } catch {
    return null;
  }
}
