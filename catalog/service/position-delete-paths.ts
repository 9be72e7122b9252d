import { parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { LakeError } from '../../src/errors.ts';
import type { DataFile } from '../../src/iceberg/manifest.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';

/**
 * The data files that a position delete file (spec: "Position Delete Files") names in its rows.
 * Errors: `unsupported` for formats but Parquet, `corrupt`, `not-found`.
 */
export async function deletedPaths(objects: ObjectStore, file: DataFile): Promise<readonly string[]> {
  if (file.fileFormat.toLowerCase() !== 'parquet') {
    throw new LakeError(
      'unsupported',
      `Position deletes in ${file.fileFormat} cannot be checked against moved files`,
      {
        where: file.filePath,
        hint: 'Nothing was committed: write deletes as Parquet (write.delete.format.default=parquet).',
      },
    );
  }
  const rows = await readPaths(objects, file);
  return [...new Set(rows.map((row) => String(row['file_path'])))];
}

async function readPaths(objects: ObjectStore, file: DataFile): Promise<Record<string, unknown>[]> {
  const { size } = await objects.head(file.filePath);
  const buffer = {
    byteLength: size,
    slice: async (start: number, end = size) => {
      const bytes = await objects.get(file.filePath, { start, end });
      return new Uint8Array(bytes).buffer;
    },
  };
  try {
    return await parquetReadObjects({ file: buffer, columns: ['file_path'], compressors });
  } catch (error) {
    if (error instanceof LakeError) throw error;
    throw new LakeError('corrupt', `The position delete file ${file.filePath} cannot be read`, {
      where: file.filePath,
      hint: 'Nothing was committed: write the file anew.',
      cause: error,
    });
  }
}
