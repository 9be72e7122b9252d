import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AvroRecord, fieldKey, readAvro, writeAvro } from '../../src/iceberg/avro.ts';
import { parseTableMetadata } from '../../src/iceberg/metadata-json.ts';
import type { TableMetadata } from '../../src/iceberg/table-metadata.ts';

const ROOT = join(import.meta.dirname, '..', 'fixtures', 'iceberg-java');

/** A copy of a golden table that can be written to. */
export interface LocalFixture {
  readonly metadata: TableMetadata;
  /** Rows as JSON text, by `current`, snapshot id and `ref:name`. */
  readonly expected: Readonly<Record<string, readonly string[]>>;
  remove(): Promise<void>;
}

/**
 * Copies a golden table to a temporary folder, with the locations in its metadata, manifest lists and manifests changed to it; the Avro schemas and
 * all else in them stay as the other engine wrote them. `withoutCounts`: manifest lists count no files and rows, as early v1 writers left it.
 */
export async function localFixture(
  name: string,
  options: { readonly withoutCounts?: boolean } = {},
): Promise<LocalFixture> {
  const index: Record<string, { location: string; metadata: string }> = JSON.parse(
    await readFile(join(ROOT, 'index.json'), 'utf8'),
  );
  const { location, metadata } = index[name]!;
  const parent = await mkdtemp(join(tmpdir(), 'lake-golden-'));
  const folder = join(parent, name);
  await cp(join(ROOT, name), folder, { recursive: true });
  const moved = (path: string): string => path.replace(location, `file://${folder}`);
  const avro = (await readdir(join(folder, 'metadata'))).filter((file) => file.endsWith('.avro'));
  const lengths = new Map<string, number>();
  for (const lists of [false, true]) {
    for (const file of avro.filter((one) => one.startsWith('snap-') === lists)) {
      const path = join(folder, 'metadata', file);
      const drop = options.withoutCounts ? COUNTS : [];
      const bytes = relocated(await readFile(path), (record) =>
        relocatedRecord(record, { moved, lengths, drop }),
      );
      await writeFile(path, bytes);
      lengths.set(`file://${path}`, bytes.length);
    }
  }
  const text = await readFile(join(folder, metadata), 'utf8');
  return {
    metadata: parseTableMetadata(text.replaceAll(location, `file://${folder}`)),
    expected: JSON.parse(await readFile(join(folder, 'expected.json'), 'utf8')),
    remove: () => rm(parent, { recursive: true }),
  };
}

/** Fields of a manifest list. */
const COUNTS = [504, 505, 506, 512, 513, 514];

function relocated(bytes: Uint8Array, change: (record: AvroRecord) => AvroRecord): Uint8Array {
  const { schema, metadata, records } = readAvro(bytes);
  const { 'avro.schema': _schema, 'avro.codec': _codec, ...header } = Object.fromEntries(metadata);
  return writeAvro(schema, header, Array.from(records, change));
}

interface Relocation {
  readonly moved: (path: string) => string;
  readonly lengths: ReadonlyMap<string, number>;
  readonly drop: readonly number[];
}

function relocatedRecord(record: AvroRecord, { moved, lengths, drop }: Relocation): AvroRecord {
  const [path, length] = [fieldKey(500), fieldKey(501)];
  const listed = record[path];
  if (typeof listed === 'string') {
    const to = moved(listed);
    const counts = Object.fromEntries(drop.map((id) => [fieldKey(id), null]));
    return { ...record, ...counts, [path]: to, [length]: lengths.get(to) ?? record[length] };
  }
  const [file, filePath] = [fieldKey(2), fieldKey(100)];
  const data = record[file] as AvroRecord;
  return { ...record, [file]: { ...data, [filePath]: moved(String(data[filePath])) } };
}
