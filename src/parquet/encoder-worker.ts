import { parentPort } from 'node:worker_threads';
import { encodeRowGroup, ownBuffer } from './row-group-encoder.ts';

/** What a worker thread answers to a job, in the order in which they came. */
export type EncoderAnswer = { readonly file: Uint8Array<ArrayBuffer> } | { readonly failure: string };

/** An Arrow stream, and its columns without a dictionary. */
export interface EncoderJob {
  readonly ipc: Uint8Array<ArrayBuffer>;
  readonly plain: readonly string[];
}

parentPort?.on('message', ({ ipc, plain }: EncoderJob) => {
  let answer: EncoderAnswer;
  try {
    answer = { file: ownBuffer(encodeRowGroup(ipc, plain)) };
  } catch (error) {
    answer = { failure: error instanceof Error ? error.message : String(error) };
  }
  parentPort?.postMessage(answer, 'file' in answer ? [answer.file.buffer] : []);
});
