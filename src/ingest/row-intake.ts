import { LakeError } from '../errors.ts';
import type { DataFile } from '../iceberg/manifest.ts';
import type { Cells } from '../parquet/cell.ts';
import type { StreamWriter } from '../parquet/stream-writer.ts';
import type { BadRow, Chunk } from './decoded-row.ts';
import { isBad } from './decoded-row.ts';
import { quarantineCells } from './quarantine.ts';

export interface IntakeOptions {
  /** Of the batch. */
  readonly name: string;
  readonly table: string;
  readonly writer: StreamWriter;
  readonly startedAtMs: number;
  /** Opens the writer of the rows that do not fit; null if there must be none. */
  readonly quarantine: (() => Promise<{ readonly writer: StreamWriter; readonly specId: number }>) | null;
}

/** So many problems are told; the rest is counted. */
const TOLD = 10;

/** Takes rows in: those that fit go to the table's writer, the others to the quarantine's or into the error. */
export class RowIntake {
  readonly #options: IntakeOptions;
  readonly #problems: string[] = [];
  #quarantine: { readonly writer: StreamWriter; readonly specId: number } | null = null;
  #rows = 0;
  #rejected = 0;
  #finished = false;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** Rows that fit. */
  get rows(): number {
    return this.#rows;
  }

  /** Rows that do not. */
  get rejected(): number {
    return this.#rejected;
  }

  /** True once all rows are stored. */
  get finished(): boolean {
    return this.#finished;
  }

  /** Stores the rows of a chunk; resolves when there is room for more. */
  async take(file: string, chunk: Chunk): Promise<void> {
    if ('batch' in chunk) {
      this.#rows += chunk.batch.numRows;
      if (!this.#isLost) await this.#options.writer.writeBatch(chunk.batch);
      return;
    }
    const good: Cells[] = [];
    const bad: BadRow[] = [];
    for (const row of chunk.rows) {
      if (isBad(row)) bad.push(row);
      else good.push(row.cells);
    }
    this.#rows += good.length;
    this.#rejected += bad.length;
    for (const row of bad) this.#tell(file, row);
    if (this.#isLost) return;
    if (bad.length > 0) await this.#quarantineRows(file, bad);
    await this.#options.writer.writeRows(good);
  }

  /** Nothing will be committed: the rest is read for its problems alone. */
  get #isLost(): boolean {
    return this.#rejected > 0 && this.#options.quarantine === null;
  }

  #tell(file: string, row: BadRow): void {
    for (const { column, reason } of row.problems) {
      if (this.#problems.length >= TOLD) return;
      this.#problems.push(
        `${file}, line ${row.line}${column === null ? '' : `, column ${column}`}: ${reason}`,
      );
    }
  }

  async #quarantineRows(file: string, rows: readonly BadRow[]): Promise<void> {
    this.#quarantine ??= (await this.#options.quarantine?.()) ?? null;
    const { name, startedAtMs } = this.#options;
    await this.#quarantine?.writer.writeRows(
      rows.map((row) => quarantineCells(name, file, row, startedAtMs)),
    );
  }

  /** Stores what is left. Errors: `corrupt` if rows did not fit and there is no quarantine. */
  async finish(): Promise<{
    readonly files: readonly DataFile[];
    readonly quarantined: readonly DataFile[];
    readonly quarantineSpecId: number;
  }> {
    if (this.#isLost) throw this.#refusal();
    const files = await this.#options.writer.close();
    const quarantined = (await this.#quarantine?.writer.close()) ?? [];
    this.#finished = true;
    return { files, quarantined, quarantineSpecId: this.#quarantine?.specId ?? 0 };
  }

  #refusal(): LakeError {
    const total = this.#rows + this.#rejected;
    const [first = '', ...more] = this.#problems;
    const rest = this.#rejected > this.#problems.length ? [`… ${this.#rejected} rows in all`] : [];
    return new LakeError(
      'corrupt',
      `${this.#rejected} of ${total} rows do not fit ${this.#options.table}: nothing was committed`,
      {
        where: first,
        hint: [...more, ...rest, 'Mend the rows, or add --on-error quarantine to set them aside.'].join('\n'),
        context: { rejected: this.#rejected, rows: total, problems: this.#problems },
      },
    );
  }

  /** Gives up and deletes what was stored; only before anything could refer to it. */
  async discard(): Promise<void> {
    await this.#options.writer.discard();
    await this.#quarantine?.writer.discard();
  }
}
