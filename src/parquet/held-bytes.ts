/** Bytes that a writer holds in memory, by what becomes of them. */
export class HeldBytes {
  #filling = 0;
  #leaving = 0;
  #peak = 0;
  #change = Promise.withResolvers<void>();

  /** In columns that still fill. */
  get filling(): number {
    return this.#filling;
  }

  /** Being encoded or on their way to the store: they go by themselves. */
  get leaving(): number {
    return this.#leaving;
  }

  get total(): number {
    return this.#filling + this.#leaving;
  }

  /** The most that were held at once. */
  get peak(): number {
    return this.#peak;
  }

  fill(bytes: number): void {
    this.#filling += bytes;
    this.#peak = Math.max(this.#peak, this.total);
  }

  /** Full columns are handed on. */
  leave(bytes: number): void {
    this.#filling -= bytes;
    this.#leaving += bytes;
  }

  /** More (or fewer, if negative) bytes on their way. */
  move(bytes: number): void {
    this.#leaving += bytes;
    this.#peak = Math.max(this.#peak, this.total);
    if (bytes < 0) this.wake();
  }

  /** Resolves when bytes have left, or at `wake`. */
  next(): Promise<void> {
    return this.#change.promise;
  }

  wake(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers();
  }
}
