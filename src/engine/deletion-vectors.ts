import { DuckDBBlobValue } from '@duckdb/node-api';
import { LakeError } from '../errors.ts';
import { deletedPositions } from '../iceberg/deletion-vector.ts';
import type { DataFile } from '../iceberg/manifest.ts';
import type { ScanTask } from '../table/scan.ts';
import type { DuckDbEngine } from './duckdb.ts';
import { quoteText } from './sql-text.ts';

const POSITIONS_A_STATEMENT = 50_000;

export const isDeletionVector = (file: DataFile): boolean => file.fileFormat.toUpperCase() === 'PUFFIN';

/**
 * Makes a table (`data_path`, `pos`) of the rows that the tasks' deletion vectors delete (spec: "Deletion Vectors").
 * Errors: `corrupt` for a vector that is damaged, or that has not as many rows as its manifest says.
 */
export async function writeVectors(
  engine: DuckDbEngine,
  table: string,
  tasks: readonly ScanTask[],
  local: (location: string) => string,
): Promise<void> {
  await engine.run(`CREATE OR REPLACE TABLE ${table} (data_path VARCHAR, pos BIGINT)`);
  const vectors = tasks.flatMap(({ dataFile, deletes }) =>
    deletes
      .filter((found) => isDeletionVector(found.dataFile))
      .map((found) => ({ data: local(dataFile.filePath), vector: found.dataFile })),
  );
  // Vectors of many data files share a Puffin file: it is read once.
  for (const [location, inFile] of Map.groupBy(vectors, ({ vector }) => vector.filePath)) {
    const bytes = await wholeFile(engine, local(location));
    for (const { data, vector } of inFile)
      await insertPositions(engine, table, data, positions(vector, bytes));
  }
}

async function wholeFile(engine: DuckDbEngine, path: string): Promise<Uint8Array> {
  const [row] = await engine.raw(`SELECT content FROM read_blob([${quoteText(path)}])`);
  const content = row?.['content'];
  if (content instanceof DuckDBBlobValue) return content.bytes;
  throw new LakeError('not-found', 'A file of deletion vectors is not there', { where: path });
}

function positions(vector: DataFile, bytes: Uint8Array): number[] {
  const { contentOffset: start, contentSizeInBytes: size, filePath: where } = vector;
  if (start === undefined || size === undefined || start + size > bytes.length) {
    throw new LakeError('corrupt', 'A deletion vector is not where its manifest says', { where });
  }
  const found = [...deletedPositions(bytes.subarray(start, start + size))];
  if (found.length === vector.recordCount) return found;
  throw new LakeError(
    'corrupt',
    `A deletion vector has ${found.length} rows, its manifest says ${vector.recordCount}`,
    { where, hint: 'The object is damaged; restore it from a backup. Nothing was read.' },
  );
}

async function insertPositions(
  engine: DuckDbEngine,
  table: string,
  path: string,
  all: readonly number[],
): Promise<void> {
  for (let start = 0; start < all.length; start += POSITIONS_A_STATEMENT) {
    const list = all.slice(start, start + POSITIONS_A_STATEMENT).join(', ');
    await engine.run(`INSERT INTO ${table} SELECT ${quoteText(path)}, unnest([${list}]::BIGINT[])`);
  }
}
