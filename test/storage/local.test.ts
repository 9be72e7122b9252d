import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { LocalStore } from '../../src/storage/local.ts';
import { fileLocation } from '../../src/storage/location.ts';
import { openStore } from '../../src/storage/store.ts';
import { objectStoreContract, type StoreUnderTest } from '../contract/object-store.ts';

async function open(store = new LocalStore()): Promise<StoreUnderTest & { folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'lake-store-'));
  return {
    store,
    folder,
    root: `${fileLocation(folder)}/`,
    dispose: () => rm(folder, { recursive: true, force: true }),
  };
}

objectStoreContract('local', () => open());
objectStoreContract('routed by scheme', async () => ({ ...(await open()), store: openStore() }));

it('leaves nothing behind after a failed put, and lists what a killed process left', async () => {
  const { store, root, folder, dispose } = await open();
  try {
    await store.put(`${root}a`, new Uint8Array(3));
    await expect(store.put(`${root}a`, new Uint8Array(3), { if: 'absent' })).rejects.toThrow();
    await expect(store.put(`${root}a/below`, new Uint8Array(3))).rejects.toMatchObject({ name: 'LakeError' });
    expect(await readdir(folder)).toEqual(['a']);
    await writeFile(join(folder, `.lake-${process.pid}-1.tmp`), 'in flight');
    await writeFile(join(folder, '.lake-999999999-1.tmp'), 'left by the dead');
    const names: string[] = [];
    for await (const page of store.list(root)) names.push(...page.map((head) => head.location));
    expect(names).toEqual([`${root}.lake-999999999-1.tmp`, `${root}a`]);
  } finally {
    await dispose();
  }
});

it('refuses locations that climb out of their folder or have no store', async () => {
  const store = openStore();
  await expect(store.get('file:///tmp/../etc/passwd')).rejects.toMatchObject({ kind: 'invalid-argument' });
  await expect(store.get('s3://bucket/key')).rejects.toMatchObject({ kind: 'unsupported' });
  await expect(store.get('relative/path')).rejects.toMatchObject({ kind: 'invalid-argument' });
});
