import { isKind, LakeError } from '../../src/errors.ts';
import { auditedRequests, runAuditedFor } from '../store/access-audit.ts';
import { appliedRequests, runAs } from '../store/applied-request.ts';
import type { TableName } from '../store/catalog-store.ts';
import { type Draft, startDraft, withChange } from './commit-step.ts';
import type { CatalogContext } from './context.ts';
import { commitRetried } from './events.ts';
import type { MetadataFile } from './metadata-files.ts';
import { publish } from './publish.ts';
import type { JoinedCommit, TableChange } from './table-change.ts';

interface Refused {
  readonly commit: JoinedCommit;
  readonly error: unknown;
  /** True if it was refused for what the table really is, not for a change that is not published yet. */
  readonly isFinal: boolean;
}

interface Joined {
  readonly draft: Draft;
  readonly accepted: readonly JoinedCommit[];
  readonly refused: readonly Refused[];
}

/** How often a commit whose requirements still hold is applied anew to a table that moved on under it. */
const ATTEMPTS = 16;
/** Each further attempt waits a random time below this, ms, so that servers that race do not keep step. */
const PAUSE_MS = 4;
/** How many commits to a table are published as one; more wait for the next turn. */
const MOST_AT_ONCE = 64;

/**
 * Commits one change to one table. Those of this process that wait for the same table are applied one after the other in memory, and published by
 * one metadata file and one change of the pointer.
 *
 * Why that is as good as one after the other: each change is checked against all that a commit has to fulfil on the state that the one before
 * it left, so the outcome is that of commits in this order; nobody is told of a success before the one pointer is durable, and nobody is refused for the sake of a change
 * that was not published in the end. What is left out is the files in between, which no reader could have seen. A change that was published
 * together with later ones is answered with the state after all of them: what a load right behind it would say.
 *
 * Errors: `not-found`, `conflict` (nothing applied), `invalid-argument`, `unavailable` (nothing applied), `unknown-outcome`.
 */
export async function commitJoined(context: CatalogContext, change: TableChange): Promise<MetadataFile> {
  const { promise, resolve: succeed, reject: fail } = Promise.withResolvers<MetadataFile>();
  const commit = { change, requests: appliedRequests(), audited: auditedRequests(), succeed, fail };
  // It may be refused while its own turn is still waited for.
  promise.catch(() => {});
  const waiting = context.turns.join(change.table, commit);
  const release = await context.turns.take([change.table]);
  try {
    while (waiting.isWaiting) await commitGroup(context, context.turns.drain(change.table, MOST_AT_ONCE));
  } finally {
    release();
  }
  return promise;
}

/** Tells each member what became of it. Never throws. */
async function commitGroup(context: CatalogContext, members: readonly JoinedCommit[]): Promise<void> {
  const [first] = members;
  if (first === undefined) return;
  let left = members;
  try {
    for (let attempt = 1; left.length > 0; attempt++) {
      const joined = await joinAll(context, first.change.table, left);
      left = await settle(context, joined, attempt);
      if (left.length > 0) {
        commitRetried.publish(null);
        if (attempt > 1) await context.clock.sleep(PAUSE_MS * context.clock.random());
      }
    }
  } catch (error) {
    for (const { fail } of left) fail(error);
  }
}

/** All changes that can be made, one on top of the other. Errors: the table cannot be read. */
async function joinAll(
  context: CatalogContext,
  table: TableName,
  commits: readonly JoinedCommit[],
): Promise<Joined> {
  let draft = await startDraft(context, table);
  const accepted: JoinedCommit[] = [];
  const refused: Refused[] = [];
  for (const commit of commits) {
    const isFinal = draft.next === (draft.base?.metadata ?? null);
    try {
      draft = await withChange(context, draft, commit.change);
      accepted.push(commit);
    } catch (error) {
      refused.push({ commit, error, isFinal });
    }
  }
  return { draft, accepted, refused };
}

/** Publishes, and tells the members; the result is those to be tried again on the table as it is then. */
async function settle(
  context: CatalogContext,
  { draft, accepted, refused }: Joined,
  attempt: number,
): Promise<readonly JoinedCommit[]> {
  for (const { commit, error, isFinal } of refused) if (isFinal) commit.fail(error);
  const open = refused.filter(({ isFinal }) => !isFinal);
  if (accepted.length === 0) return [];
  try {
    const [file] = await runForAll(accepted, () => publish(context, [draft]));
    if (file === undefined) throw new LakeError('internal', 'a commit of one table gave no metadata');
    for (const { succeed } of accepted) succeed(file);
    for (const { commit, error } of open) commit.fail(error);
    return [];
  } catch (error) {
    const again = [...accepted, ...open.map(({ commit }) => commit)];
    // A pointer moved between reading and writing: what the clients required decides, on the new base.
    if (mayPass(error, attempt)) return again;
    if (isOfOne(error) && again.length > 1) {
      for (const commit of again) await commitGroup(context, [commit]);
      return [];
    }
    for (const { fail } of accepted) fail(error);
    for (const { commit } of open) commit.fail(refusedInVain(error));
    return [];
  }
}

/** What the store notes with the change, it notes for each of the commits. */
function runForAll<T>(commits: readonly JoinedCommit[], work: () => T): T {
  const requests = commits.flatMap((commit) => commit.requests);
  const audited = commits.flatMap((commit) => commit.audited);
  return runAs(requests, () => runAuditedFor(audited, work));
}

/** True if the same commit may be made on the table as it is by now. A name that was taken meanwhile is seen at the second attempt. */
export function mayPass(error: unknown, attempt: number): boolean {
  return isKind(error, 'conflict') ? attempt < ATTEMPTS : isKind(error, 'already-exists') && attempt === 1;
}

/** Refusals of the store that may be for the sake of one member: then each is tried alone. */
const OF_ONE = ['not-found', 'already-exists', 'invalid-argument', 'unsupported', 'forbidden'] as const;

function isOfOne(error: unknown): boolean {
  return isKind(error, ...OF_ONE) || (error instanceof LakeError && error.context['ofOneRequest'] === true);
}

/** What refused it was not published, so far as is known. */
function refusedInVain(cause: unknown): LakeError {
  return new LakeError('unavailable', 'Other commits to the table failed while this one waited for them', {
    hint: 'Nothing of this commit was applied: try again.',
    cause,
  });
}
