import { availableParallelism } from 'node:os';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { RecordBatch } from 'apache-arrow';
import { LakeError } from '../errors.ts';
import type { EncoderAnswer, EncoderJob } from './encoder-worker.ts';
import { encodeRowGroup, ipcOf, ownBuffer, plainColumns } from './row-group-encoder.ts';

/** Each thread keeps the encoder's memory for a row group or two. */
const MOST_THREADS = 4;

/** One that it works on and one that waits: a thread is never idle while there is work. */
const JOBS_A_THREAD = 2;

interface Job {
  readonly batch: RecordBatch;
  readonly done: PromiseWithResolvers<Uint8Array>;
}

interface Thread {
  readonly worker: Worker;
  readonly jobs: PromiseWithResolvers<Uint8Array>[];
}

/** Threads that encode row groups, shared by all writers of the process; they start when there is work for them, and do not keep the process alive. */
class EncoderPool {
  readonly #threads = new Set<Thread>();
  readonly #waiting: Job[] = [];

  encode(batch: RecordBatch): Promise<Uint8Array> {
    const done = Promise.withResolvers<Uint8Array>();
    this.#waiting.push({ batch, done });
    this.#dispatch();
    return done.promise;
  }

  #dispatch(): void {
    while (this.#waiting.length > 0) {
      const thread = this.#freeThread();
      if (thread === null) return;
      const job = this.#waiting.shift()!;
      try {
        const ipc = ownBuffer(ipcOf(job.batch));
        const message: EncoderJob = { ipc, plain: plainColumns(job.batch.schema) };
        thread.worker.postMessage(message, [ipc.buffer]);
        thread.jobs.push(job.done);
        thread.worker.ref();
      } catch (error) {
        job.done.reject(encodingFailed(error));
      }
    }
  }

  #freeThread(): Thread | null {
    let free: Thread | null = null;
    for (const thread of this.#threads) {
      if (thread.jobs.length === 0) return thread;
      if (thread.jobs.length < JOBS_A_THREAD) free = thread;
    }
    return this.#threads.size < Math.min(availableParallelism(), MOST_THREADS) ? this.#start() : free;
  }

  #start(): Thread {
    // The same extension as this module: TypeScript from source, JavaScript when built.
    const module = new URL(`./encoder-worker${extname(import.meta.url)}`, import.meta.url);
    const thread: Thread = { worker: new Worker(module), jobs: [] };
    this.#threads.add(thread);
    thread.worker.on('message', (answer: EncoderAnswer) => {
      const job = thread.jobs.shift();
      if (thread.jobs.length === 0) thread.worker.unref();
      if ('file' in answer) job?.resolve(answer.file);
      else job?.reject(encodingFailed(answer.failure));
      this.#dispatch();
    });
    const gone = (reason: unknown): void => {
      this.#threads.delete(thread);
      for (const job of thread.jobs.splice(0)) job.reject(encodingFailed(reason));
      this.#dispatch();
    };
    thread.worker.on('error', gone);
    thread.worker.on('exit', (code) => gone(`its thread ended with code ${code}`));
    return thread;
  }
}

const pool = new EncoderPool();

/** A batch as a Parquet file, made in another thread. Errors: `internal`. */
export function encodeApart(batch: RecordBatch): Promise<Uint8Array> {
  return pool.encode(batch);
}

/** A batch as a Parquet file, made at once in this thread. Errors: `internal`. */
export function encodeHere(batch: RecordBatch): Uint8Array {
  try {
    return encodeRowGroup(ipcOf(batch), plainColumns(batch.schema));
  } catch (error) {
    throw encodingFailed(error);
  }
}

function encodingFailed(cause: unknown): LakeError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new LakeError('internal', `The Parquet encoder failed: ${reason}`, {
    cause,
    hint: 'Nothing was committed.',
  });
}
