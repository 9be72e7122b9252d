import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import {
  type Direction,
  MATRIX_FOLDER,
  MATRIX_PAGE,
  type MatrixFile,
  type MatrixPartName,
  matrixFiles,
  renderedPage,
  type Seen,
} from './matrix-page.ts';

/** Nothing where all went well. A body that has asserted exactly what comes instead returns what works only in part, or what is known to be wrong. */
// biome-ignore lint/suspicious/noConfusingVoidType: bodies of assertions return nothing
type Found = void | { readonly partly: string } | { readonly wrong: string };

/**
 * One engine's operations or types in the matrix of docs/engines.md, filled by its tests. Each `see` fails its test where it saw something else than the engine's
 * file under test/engines/matrix says; `LAKE_UPDATE_DOCS=1` writes the file and the page anew instead.
 *
 * ```ts
 * const matrix = new MatrixPart({ name: 'trino', engine: 'Trino 476', part: 'operations', refusal: trinoRefusal });
 * it('merges', () => matrix.see('merge', 'writes', async () => { … expect(rows).toEqual(…) }));
 * it('has seen all of its matrix', () => matrix.finish()); // the last test
 * ```
 */
export class MatrixPart {
  readonly #name: string;
  readonly #engine: string;
  readonly #part: MatrixPartName;
  readonly #refusal: (error: unknown) => string | null;
  readonly #seen: Record<string, Partial<Record<Direction, Seen>>> = {};

  /** `name` is the file's, `engine` its name and version on the page; `refusal` takes the engine's own message out of an error, null if it is no refusal by the engine. */
  constructor(place: {
    readonly name: string;
    readonly engine: string;
    readonly part: MatrixPartName;
    readonly refusal: (error: unknown) => string | null;
  }) {
    this.#name = place.name;
    this.#engine = place.engine;
    this.#part = place.part;
    this.#refusal = place.refusal;
  }

  /** Gives a row its place in the file, for tests that run at once. */
  reserve(row: string): void {
    this.#seen[row] ??= {};
  }

  /**
   * Runs what shows one cell, once. It asserts by rows that the thing works; what the engine refuses is noted with its message; any other error is thrown.
   */
  async see(row: string, direction: Direction, body: () => Promise<Found>): Promise<void> {
    if (this.#seen[row]?.[direction] !== undefined) throw new Error(`${row} ${direction} was seen before`);
    const seen = await this.#outcome(body);
    this.#seen[row] = { ...this.#seen[row], [direction]: seen };
    if (isUpdate) return;
    const file = `test/engines/matrix/${this.#name}.json`;
    const problem = `${row}, ${this.#engine} ${direction}: not what ${file} says (LAKE_UPDATE_DOCS=1 writes it anew)`;
    expect(seen, problem).toEqual(this.#kept()[this.#part][row]?.[direction]);
  }

  /** The last test of a file: the engine's file says nothing that was not seen. */
  finish(): void {
    const seen = Object.fromEntries(
      Object.entries(this.#seen)
        .filter(([, cells]) => Object.keys(cells).length > 0)
        // In one order, whichever came first.
        .map(([row, { writes, reads }]) => [
          row,
          { ...(writes === undefined ? {} : { writes }), ...(reads === undefined ? {} : { reads }) },
        ]),
    );
    if (!isUpdate) {
      expect(seen).toEqual(this.#kept()[this.#part]);
      return;
    }
    const file = { ...this.#kept(), engine: this.#engine, [this.#part]: seen };
    writeFileSync(this.#path, `${JSON.stringify(file, null, 2)}\n`);
    writeFileSync(MATRIX_PAGE, renderedPage(readFileSync(MATRIX_PAGE, 'utf8'), matrixFiles()));
  }

  async #outcome(body: () => Promise<Found>): Promise<Seen> {
    try {
      return (await body()) ?? 'works';
    } catch (error) {
      const refused = this.#refusal(error);
      if (refused === null) throw error;
      return { refused: settled(refused) };
    }
  }

  get #path(): string {
    return join(MATRIX_FOLDER, `${this.#name}.json`);
  }

  #kept(): MatrixFile {
    if (!existsSync(this.#path)) return { engine: this.#engine, operations: {}, types: {} };
    return JSON.parse(readFileSync(this.#path, 'utf8'));
  }
}

const isUpdate = process.env['LAKE_UPDATE_DOCS'] === '1';

/** A message's first line without what differs from run to run. */
function settled(message: string): string {
  return (message.split('\n')[0] ?? '')
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{4,}/g, '…')
    .replace(/\b(s3|https?):\/\/\S+/g, '$1://…')
    .replace(/\d{6,}(_\d+)*(_\w+)?/g, '…')
    .trim();
}
