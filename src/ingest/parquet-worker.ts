import { openAsBlob } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { ParquetFile, type RecordBatch } from 'parquet-wasm';
import { ownBuffer } from '../parquet/row-group-encoder.ts';

const BATCH_ROWS = 65_536;

/** What the thread gets at its start. */
export interface ParquetJob {
  readonly path: string;
}

/** What the thread answers to each message: Arrow's stream of the next batch, or null behind the last one; or why it cannot. */
export type ParquetAnswer = { readonly ipc: Uint8Array<ArrayBuffer> | null } | { readonly failure: string };

async function openReader({ path }: ParquetJob): Promise<ReadableStreamDefaultReader<RecordBatch>> {
  const file = await ParquetFile.fromFile(await openAsBlob(path));
  return (await file.stream({ batchSize: BATCH_ROWS, concurrency: 1 })).getReader();
}

const job: ParquetJob = workerData;
const opened = openReader(job);
// Told by the answer to the first message.
opened.catch(() => undefined);

async function nextAnswer(): Promise<ParquetAnswer> {
  try {
    const { done, value } = await (await opened).read();
    return { ipc: done ? null : ownBuffer(value.intoIPCStream()) };
  } catch (cause) {
    return { failure: cause instanceof Error ? cause.message : String(cause) };
  }
}

parentPort?.on('message', async () => {
  const answer = await nextAnswer();
  parentPort?.postMessage(answer, 'ipc' in answer && answer.ipc ? [answer.ipc.buffer] : []);
});
