import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DuckDbEngine, openDuckDb } from '../engine/duckdb.ts';

/** A local folder and an SQL engine for rewriting delete files; both are made when first needed. */
export class Scratch {
  readonly #memoryLimit: string | undefined;
  #open: { readonly folder: string; readonly engine: DuckDbEngine } | undefined;
  #files = 0;

  constructor(memoryLimit?: string) {
    this.#memoryLimit = memoryLimit;
  }

  async engine(): Promise<DuckDbEngine> {
    return (await this.#opened()).engine;
  }

  /** A path in the folder that no other call gets. */
  async newFile(): Promise<string> {
    return join((await this.#opened()).folder, `${this.#files++}.parquet`);
  }

  async close(): Promise<void> {
    if (this.#open === undefined) return;
    await this.#open.engine.close();
    await rm(this.#open.folder, { recursive: true, force: true });
    this.#open = undefined;
  }

  async #opened() {
    if (this.#open === undefined) {
      const folder = await mkdtemp(join(tmpdir(), 'lake-tier-'));
      const limit = this.#memoryLimit === undefined ? {} : { memoryLimit: this.#memoryLimit };
      this.#open = { folder, engine: await openDuckDb({ tempDirectory: join(folder, 'spill'), ...limit }) };
    }
    return this.#open;
  }
}
