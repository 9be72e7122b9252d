import { LakeError } from '../errors.ts';

/** A branch or tag (spec: "Snapshot References"). */
export interface SnapshotRef {
  readonly 'snapshot-id': bigint;
  readonly type: 'branch' | 'tag';
  readonly 'min-snapshots-to-keep'?: number;
  readonly 'max-snapshot-age-ms'?: number;
  readonly 'max-ref-age-ms'?: number;
}

export const MAIN_BRANCH = 'main';

const RETENTION_KEYS = ['min-snapshots-to-keep', 'max-snapshot-age-ms', 'max-ref-age-ms'] as const;
const BRANCH_ONLY_KEYS = ['min-snapshots-to-keep', 'max-snapshot-age-ms'] as const;

/**
 * Checks a ref on its own (not whether its snapshot exists) and gives it back without null settings, which
 * some clients send for what is not set.
 *
 * @throws LakeError('invalid-argument') if main is no branch, a tag carries a branch's retention, or a
 *   retention is not a positive integer (spec: "Snapshot References").
 */
export function normalizeRef(name: string, ref: SnapshotRef): SnapshotRef {
  if (ref.type !== 'branch' && ref.type !== 'tag') refuse(name, 'is neither a branch nor a tag');
  if (name === '') refuse(name, 'has no name');
  if (name === MAIN_BRANCH && ref.type !== 'branch') refuse(name, 'must be a branch');
  const kept = Object.fromEntries(Object.entries(ref).filter(([, value]) => value !== null));
  for (const key of RETENTION_KEYS) {
    const value = kept[key];
    if (value !== undefined && !(Number.isSafeInteger(value) && value > 0)) {
      refuse(name, `has ${key} ${value}; it must be a positive integer`);
    }
  }
  const misplaced = ref.type === 'tag' ? BRANCH_ONLY_KEYS.find((key) => kept[key] !== undefined) : undefined;
  if (misplaced) refuse(name, `is a tag and cannot have ${misplaced}`);
  return { ...kept, 'snapshot-id': ref['snapshot-id'], type: ref.type };
}

function refuse(name: string, problem: string): never {
  throw new LakeError('invalid-argument', `ref ${name} ${problem}`, {
    hint: 'correct the ref; nothing was changed',
  });
}
