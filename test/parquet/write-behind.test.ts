import { appendFile, mkdir, mkdtemp, readdir, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { numberedFiles, writingBehind } from '../../src/parquet/write-behind.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lake-behind-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** What is looked at, and a promise of the next look. */
function watched() {
  const looks: (() => void)[] = [];
  const growing = async () => {
    const names = await readdir(folder, { recursive: true, withFileTypes: true });
    const files = names.filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name));
    for (const look of looks.splice(0)) look();
    return files;
  };
  return { growing, nextLook: () => new Promise<void>((resolve) => looks.push(resolve)) };
}

it('gives what the work gives, while files grow, go and come', async () => {
  const { growing, nextLook } = watched();
  const done = await writingBehind({ folder, growing }, async () => {
    for (let i = 0; i < 5; i++) {
      await mkdir(join(folder, `${i}`));
      await appendFile(join(folder, 'one'), 'more');
      await writeFile(join(folder, `${i}`, 'two'), 'x');
      await nextLook();
      await unlink(join(folder, `${i}`, 'two'));
    }
    return 'done';
  });
  expect(done).toBe('done');
});

it('throws the error of the work, and after it looks no more', async () => {
  const { growing, nextLook } = watched();
  const failing = writingBehind({ folder, growing }, async () => {
    await nextLook();
    throw new Error('no rows');
  });
  await expect(failing).rejects.toThrow('no rows');
});

it('does not pass over a file that could not be brought to disk: the next one to ask would not hear of it', async () => {
  // Opening a loop of links fails otherwise than for a file that is gone.
  const loop = join(folder, 'loop');
  await symlink(loop, loop);
  const growing = async () => [loop];
  await expect(writingBehind({ folder, growing }, async () => 1)).rejects.toMatchObject({
    kind: 'unavailable',
    message: expect.stringContaining('ELOOP'),
  });
});

it('knows the files of a COPY by their numbers, up to the first that is not there', async () => {
  const pathOf = (number: number) => join(folder, `a-${number}.parquet`);
  expect(await numberedFiles(pathOf)).toEqual([]);
  for (const number of [0, 1, 3]) await writeFile(pathOf(number), '');
  expect(await numberedFiles(pathOf)).toEqual([pathOf(0), pathOf(1)]);
});
