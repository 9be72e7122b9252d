/** Chunks that are put in at one end and taken out, in order, at the other. */
export class ChunkQueue implements AsyncIterable<Uint8Array> {
  readonly #chunks: Uint8Array[] = [];
  readonly #onTaken: (bytes: number) => void;
  #ended = false;
  #failure: unknown = null;
  #change = Promise.withResolvers<void>();

  /** @param onTaken told how long a chunk was once its taker asks for more */
  constructor(onTaken: (bytes: number) => void) {
    this.#onTaken = onTaken;
  }

  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#wake();
  }

  /** No more chunks will come. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** Whoever takes chunks gets an error in place of the next. */
  fail(error: unknown): void {
    this.#failure = error;
    this.#wake();
  }

  #wake(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      if (this.#failure !== null) throw this.#failure;
      const chunk = this.#chunks.shift();
      if (chunk) {
        yield chunk;
        this.#onTaken(chunk.length);
      } else if (this.#ended) return;
      else await this.#change.promise;
    }
  }
}
