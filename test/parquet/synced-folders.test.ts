import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { openDuckDb } from '../../src/engine/duckdb.ts';
import { copyToParquet } from '../../src/parquet/copy.ts';

const synced: string[] = [];
vi.mock(import('../../src/parquet/disk.ts'), async (original) => {
  const disk = await original();
  const syncPath = async (path: string) => {
    synced.push(path);
    await disk.syncPath(path);
  };
  return { ...disk, syncPath };
});

it('brings the names of all folders that it made to disk, after the files', async () => {
  const root = await mkdtemp(join(tmpdir(), 'lake-synced-'));
  const engine = await openDuckDb({ tempDirectory: join(root, 'spill'), threads: 1 });
  const data = join(root, 'data');
  const field = { id: 1, name: 'a', required: false, type: 'long' as const };
  const write = async (folder: string) => {
    synced.length = 0;
    const request = { sql: 'SELECT 1::BIGINT AS a', fields: [field], name: 'f', targetFileSizeBytes: 1e6 };
    const [file] = await copyToParquet(engine, { ...request, folder });
    return synced.slice(synced.lastIndexOf(file?.path ?? ''));
  };
  try {
    const [a, b, c] = [join(data, 'a=1'), join(data, 'a=1', 'b=2'), join(data, 'a=1', 'b=3')];
    expect(await write(b)).toEqual([join(b, 'f-0.parquet'), b, a, data, root]);
    expect(await write(c)).toEqual([join(c, 'f-0.parquet'), c, a]);
    expect(await write(a)).toEqual([join(a, 'f-0.parquet'), a, data]);
  } finally {
    await engine.close();
    await rm(root, { recursive: true });
  }
});
