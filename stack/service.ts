import type { Program } from './background-process.ts';

/** A part of the stack. */
export interface Service {
  readonly name: string;
  readonly needs: readonly string[];
  /** Where it answers, for people. */
  readonly address: string;
  /** What the machine lacks for it and how to get it; null if it can run. */
  missing(): string | null;
  /** Fetches or builds what it needs, once, and says what to run. */
  prepare(say: (text: string) => void): Promise<Program>;
  /** True once it answers. */
  answers(): Promise<boolean>;
  /** What others need of it, each time after it answers: buckets, principals. */
  afterStart?(say: (text: string) => void): Promise<void>;
}

/** True if an HTTP server answers `url` with less than 500. */
export async function answersHttp(url: string): Promise<boolean> {
  const answer = await fetch(url).catch(() => null);
  await answer?.body?.cancel();
  return answer !== null && answer.status < 500;
}

/** True if an HTTP server says by 2xx at `url` that it is ready. */
export async function isReady(url: string): Promise<boolean> {
  const answer = await fetch(url).catch(() => null);
  await answer?.body?.cancel();
  return answer?.ok === true;
}
