import { LakeError } from '../errors.ts';

export const INGEST_FORMATS = ['csv', 'jsonl', 'avro', 'parquet'] as const;
export type IngestFormat = (typeof INGEST_FORMATS)[number];

const BY_EXTENSION: Readonly<Record<string, IngestFormat>> = {
  csv: 'csv',
  jsonl: 'jsonl',
  ndjson: 'jsonl',
  avro: 'avro',
  parquet: 'parquet',
};

/** The format of a file by its name, `.gz` passed over. Errors: `usage` where the name does not tell. */
export function formatOf(name: string): IngestFormat {
  const extension = /\.([a-z]+)(\.gz)?$/i.exec(name)?.[1]?.toLowerCase() ?? '';
  const format = Object.hasOwn(BY_EXTENSION, extension) ? BY_EXTENSION[extension] : undefined;
  if (format) return format;
  throw new LakeError('usage', `The name ${name} does not tell its format`, {
    hint: `Add --format ${INGEST_FORMATS.join('|')}.`,
  });
}
