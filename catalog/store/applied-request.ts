import { AsyncLocalStorage } from 'node:async_hooks';

/** A request that carries an idempotency key, while it runs. */
export interface AppliedRequest {
  readonly key: string;
  readonly digest: string;
  readonly createdAtMs: number;
  /** True once a change of this request was noted. */
  noted: boolean;
  /** True if it is answered from what is known, and does nothing. */
  readonly replayed: boolean;
}

const running = new AsyncLocalStorage<readonly AppliedRequest[]>();

/** Runs `work` as the given requests: every change of the store in it notes their keys in its own transaction. */
export function runAs<T>(requests: readonly AppliedRequest[], work: () => T): T {
  return running.run(requests, work);
}

/**
 * The requests that the caller works for, so far as they carry a key: several, where their changes are made as one. A store writes them
 * down in the transaction of the change itself: after a crash between the change and the answer, a repeated request is known to have
 * been applied.
 */
export function appliedRequests(): readonly AppliedRequest[] {
  return running.getStore() ?? [];
}

/** Runs `work` for nobody's request: what goes on after the answer is no part of it. */
export function runForNobody<T>(work: () => T): T {
  return running.exit(work);
}
