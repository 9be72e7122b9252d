import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { loadModels } from '../../src/pipeline/load-models.ts';

const engine = vi.hoisted(() => ({ version: 'v1' }));

vi.mock(import('@duckdb/node-api'), async (load) => ({ ...(await load()), version: () => engine.version }));

describe('loadModels', () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'lake-models-'));
  });
  afterEach(() => rm(root, { recursive: true }));
  const write = async (path: string, text: string) => {
    await mkdir(dirname(join(root, 'models', path)), { recursive: true });
    await writeFile(join(root, 'models', path), text);
  };
  const load = () => loadModels(join(root, 'models'), root);

  it('collects the problems of all files', async () => {
    await write('gold/a.sql', 'SELECT 1');
    await write('gold/a.yml', 'version: 1\nmaterialisation: scd2\n');
    await write('gold/b.sql', 'SELECT 1');
    await write('silver/c.sql', 'SELECT 1');
    await write('silver/c.yml', 'version: 1\nmaterialisation: replace_partitions\nkeys: [x]\n');
    await write('glod/d.sql', 'SELECT 1');
    const failure = load();
    await expect(failure).rejects.toMatchObject({ kind: 'invalid-file' });
    await expect(failure).rejects.toThrow(/models\/gold\/a\.yml:2:1: scd2 needs the natural key/);
    await expect(failure).rejects.toThrow(/the model gold\.b has no b\.yml/);
    await expect(failure).rejects.toThrow(
      /models\/silver\/c\.yml:3:1: unknown key "keys" \(did you mean "key"\?\)/,
    );
    await expect(failure).rejects.toThrow(/models\/glod:1:1: no layer \(did you mean "gold"\?\)/);
  });

  it('gives a model another fingerprint when its SQL or storage changes, not when its words do', async () => {
    const yml = 'version: 1\nmaterialisation: full\n';
    await write('gold/a.sql', 'SELECT 1 AS x;\n');
    await write('gold/a.yml', yml);
    const [first] = await load();
    await write('gold/a.yml', `${yml}description: words\n`);
    const [described] = await load();
    await write('gold/a.yml', `${yml}sort_by: [x]\n`);
    const [sorted] = await load();
    expect(first?.sql).toBe('SELECT 1 AS x');
    expect(described?.fingerprint).toBe(first?.fingerprint);
    expect(sorted?.fingerprint).not.toBe(first?.fingerprint);
    // Another engine may give another result of the same SQL: what it was before cannot be had by running it again.
    engine.version = 'v2';
    expect((await load())[0]?.fingerprint).not.toBe(sorted?.fingerprint);
  });
});
