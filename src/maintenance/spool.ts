import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const FLUSH_LINES = 2000;

/**
 * A list that is too long for memory: rows are written to a temporary file and read back in their order. Rows are JSON.
 */
export class Spool<T extends object> {
  readonly #folder: string;
  readonly #file: FileHandle;
  #waiting: string[] = [];
  #length = 0;

  private constructor(folder: string, file: FileHandle) {
    this.#folder = folder;
    this.#file = file;
  }

  static async open<T extends object>(): Promise<Spool<T>> {
    const folder = await mkdtemp(join(tmpdir(), 'lake-spool-'));
    return new Spool<T>(folder, await open(join(folder, 'rows'), 'w+'));
  }

  /** How many rows there are. */
  get length(): number {
    return this.#length;
  }

  async add(row: T): Promise<void> {
    this.#waiting.push(JSON.stringify(row));
    this.#length += 1;
    if (this.#waiting.length >= FLUSH_LINES) await this.#flush();
  }

  /** The rows from the first on. */
  async *rows(): AsyncIterable<T> {
    await this.#flush();
    const lines = (await open(join(this.#folder, 'rows'))).readLines();
    for await (const line of lines) yield JSON.parse(line) as T;
  }

  async close(): Promise<void> {
    await this.#file.close();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #flush(): Promise<void> {
    if (this.#waiting.length === 0) return;
    const text = `${this.#waiting.join('\n')}\n`;
    this.#waiting = [];
    await this.#file.appendFile(text);
  }
}
