interface Cached {
  readonly location: string;
  readonly json: Uint8Array;
}

/** Files by location, the least recently used forgotten first, so that the JSON of all stays below `bytes`; the last one is kept whatever its size. */
export class MetadataCache<F extends Cached> {
  readonly #bytes: number;
  readonly #files = new Map<string, F>();
  #held = 0;

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  get(location: string): F | undefined {
    const file = this.#files.get(location);
    if (file === undefined) return undefined;
    // A map iterates in the order of insertion.
    this.#files.delete(location);
    this.#files.set(location, file);
    return file;
  }

  keep(file: F): F {
    this.forget(file.location);
    this.#files.set(file.location, file);
    this.#held += file.json.length;
    for (const oldest of this.#files.keys()) {
      if (this.#held <= this.#bytes || this.#files.size === 1) break;
      this.forget(oldest);
    }
    return file;
  }

  forget(location: string): void {
    this.#held -= this.#files.get(location)?.json.length ?? 0;
    this.#files.delete(location);
  }
}
