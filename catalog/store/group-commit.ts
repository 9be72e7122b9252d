import { AsyncLocalStorage } from 'node:async_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { isKind, LakeError } from '../../src/errors.ts';
import type { Sql } from './sql-database.ts';

/** A connection that runs one transaction after the other. */
export interface TransactionSession extends Sql {
  /** Waits until no other transaction changes what has these names (null: anything). If it fails, nothing began. */
  begin(only: readonly string[] | null): Promise<void>;
  /** Where `undoToMark` goes back to; forgets the mark before. */
  mark(): Promise<void>;
  undoToMark(): Promise<void>;
  /** Errors: `unavailable` if the transaction was undone for certain, else `unknown-outcome`. */
  commit(): Promise<void>;
  /** Errors: `unknown-outcome` if it cannot be told that the transaction was undone. */
  rollback(): Promise<void>;
}

interface Member {
  readonly only: readonly string[] | null;
  /** Runs the work; the result tells the caller of its success. */
  readonly run: (sql: Sql) => Promise<() => void>;
  readonly refuse: (error: unknown) => void;
}

type Attempt = { readonly succeed: () => void } | { readonly error: unknown };

/** PostgreSQL keeps up to 64 subtransactions of a transaction at hand. */
const LARGEST_GROUP = 50;

/** The group that the caller's code runs in. */
const inside = new AsyncLocalStorage<GroupCommit>();

/**
 * Joins the write transactions that wait at the same time into one of the database: one COMMIT makes all of them durable. Each runs
 * alone, behind a mark, so that what one throws undoes its own statements only; each caller learns its own outcome, after the COMMIT.
 */
export class GroupCommit {
  readonly #idle: TransactionSession[];
  readonly #waiting: Member[] = [];
  readonly #draining = new Set<Promise<void>>();
  // The group is nobody's request; each work runs in its own.
  readonly #forNobody = AsyncLocalStorage.snapshot();

  /** @param sessions connections that may write at the same time; what waits while all are at work makes the next group */
  constructor(sessions: readonly TransactionSession[]) {
    this.#idle = [...sessions];
  }

  /** See `SqlDatabase.transaction`. */
  async transaction<T>(work: (sql: Sql) => Promise<T>, only: readonly string[] | null): Promise<T> {
    // It would wait for the end of its own transaction.
    if (inside.getStore() === this) throw new LakeError('internal', 'a transaction within a transaction');
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const inItsRequest = inside.run(this, () => AsyncLocalStorage.snapshot());
    const run = async (sql: Sql) => {
      const result = await inItsRequest(work, sql);
      return () => resolve(result);
    };
    this.#waiting.push({ only, run, refuse: reject });
    const session = this.#idle.pop();
    if (session !== undefined) this.#forNobody(() => this.#start(session));
    return promise;
  }

  /** Waits until nothing runs or waits. */
  async idle(): Promise<void> {
    while (this.#draining.size > 0) await Promise.all(this.#draining);
  }

  #start(session: TransactionSession): void {
    const draining = this.#drain(session).finally(() => this.#draining.delete(draining));
    this.#draining.add(draining);
  }

  async #drain(session: TransactionSession): Promise<void> {
    do {
      // Requests that are ready in the same turn join the group.
      await nextTurn();
      const members = this.#waiting.splice(0, LARGEST_GROUP);
      if (members.length > 0) await this.#commitTogether(session, members);
    } while (this.#waiting.length > 0);
    this.#idle.push(session);
  }

  async #commitTogether(session: TransactionSession, members: readonly Member[]): Promise<void> {
    try {
      await session.begin(namesOf(members));
      const attempts = await attemptEach(session, members);
      const isAnyDone = attempts.some((attempt) => 'succeed' in attempt);
      if (isAnyDone) await session.commit().catch((error) => refuseAll(members, attempts, error));
      else await session.rollback();
      // A promise that is refused already keeps its refusal.
      attempts.forEach((attempt, at) => {
        if ('succeed' in attempt) attempt.succeed();
        else members[at]?.refuse(attempt.error);
      });
    } catch (error) {
      for (const member of members) member.refuse(error);
    }
  }
}

/** The names that the group keeps to itself; null as soon as one of its members may change anything. */
function namesOf(members: readonly Member[]): readonly string[] | null {
  const names = new Set<string>();
  for (const { only } of members) {
    if (only === null) return null;
    for (const name of only) names.add(name);
  }
  return [...names];
}

/** Errors: the transaction as a whole is lost. */
async function attemptEach(session: TransactionSession, members: readonly Member[]): Promise<Attempt[]> {
  const attempts: Attempt[] = [];
  // Another one for each transaction: what is known of it can be kept by it.
  const sql: Sql = {
    all: (text, ...values) => session.all(text, ...values),
    get: (text, ...values) => session.get(text, ...values),
    run: (text, ...values) => session.run(text, ...values),
  };
  try {
    for (const member of members) attempts.push(await attempt(session, sql, member, members.length > 1));
    return attempts;
  } catch (error) {
    await session.rollback();
    if (isKind(error, 'unavailable', 'unknown-outcome', 'corrupt')) throw error;
    throw new LakeError('unavailable', 'The catalog database gave up a transaction', {
      hint: 'Nothing was applied: try again.',
      cause: error,
    });
  }
}

async function attempt(
  session: TransactionSession,
  sql: Sql,
  member: Member,
  isOneOfSeveral: boolean,
): Promise<Attempt> {
  if (isOneOfSeveral) await session.mark();
  try {
    return { succeed: await member.run(sql) };
  } catch (error) {
    if (isOneOfSeveral) await session.undoToMark();
    return { error };
  }
}

/**
 * The commit failed. What refused a member may have been the change of another one that is not there now: its refusal is void, and it is
 * certain that nothing of it was applied.
 */
function refuseAll(members: readonly Member[], attempts: readonly Attempt[], error: unknown): void {
  attempts.forEach((attempt, at) => {
    const isUndone = 'error' in attempt && isKind(error, 'unknown-outcome');
    members[at]?.refuse(isUndone ? refusedInVain(error) : error);
  });
}

function refusedInVain(cause: unknown): LakeError {
  return new LakeError('unavailable', 'The catalog database failed while it committed other changes', {
    hint: 'Nothing of this change was applied: try again.',
    cause,
  });
}
