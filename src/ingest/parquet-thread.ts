import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type RecordBatch, tableFromIPC } from 'apache-arrow';
import type { ParquetAnswer, ParquetJob } from './parquet-worker.ts';

/**
 * The rows of a Parquet file, decoded by a thread of its own, one batch ahead. A damaged page makes parquet-wasm panic in the midst of a promise that then never settles: the thread dies of it, and
 * nothing else.
 *
 * @throws Error that says what is wrong with the file
 */
export async function* threadBatches(path: string): AsyncGenerator<RecordBatch> {
  const thread = new ParquetThread({ path });
  try {
    let next = thread.next();
    for (let ipc = await next; ipc !== null; ipc = await next) {
      next = thread.next();
      // Told when it is waited for.
      next.catch(() => undefined);
      yield* tableFromIPC(ipc).batches;
    }
  } finally {
    await thread.end();
  }
}

type Ipc = Uint8Array<ArrayBuffer> | null;

class ParquetThread {
  readonly #worker: Worker;
  #gone: Error | null = null;
  #waiting: PromiseWithResolvers<Ipc> | null = null;

  constructor(workerData: ParquetJob) {
    // The same extension as this module: TypeScript from source, JavaScript when built.
    const module = new URL(`./parquet-worker${extname(import.meta.url)}`, import.meta.url);
    this.#worker = new Worker(module, { workerData });
    this.#worker.on('message', (answer: ParquetAnswer) => {
      if ('ipc' in answer) this.#waiting?.resolve(answer.ipc);
      else this.#waiting?.reject(new Error(answer.failure));
    });
    this.#worker.on('error', (cause) => this.#end(damagedPage(cause)));
    this.#worker.on('exit', () => this.#end(damagedPage()));
  }

  /** The next batch; asked for only when the one before has come. */
  next(): Promise<Ipc> {
    if (this.#gone !== null) return Promise.reject(this.#gone);
    this.#waiting = Promise.withResolvers<Ipc>();
    this.#worker.postMessage(null);
    return this.#waiting.promise;
  }

  #end(reason: Error): void {
    this.#gone ??= reason;
    this.#waiting?.reject(this.#gone);
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }
}

function damagedPage(cause?: unknown): Error {
  return new Error('a page in it is damaged', cause === undefined ? {} : { cause });
}
