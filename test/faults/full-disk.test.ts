import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runPipeline } from '../../src/pipeline/run.ts';
import type { FullDisk } from './full-disk-process.ts';
import { type KeptFolder, keptFolder } from './kept-folder.ts';
import { inProject, writeProject, writeSource } from './tiny-project.ts';

const run = promisify(execFile);
const PROGRAM = join(import.meta.dirname, 'full-disk-process.ts');
/** Mounts a disk of memory at a folder, for itself and its children alone. */
const MOUNT = 'mount -t tmpfs -o size=256m lake-test "$1" && shift && exec "$@"';

let kept: KeptFolder;
let disk: string;

const onSmallDisk = (...command: string[]) =>
  run('unshare', ['-rm', 'sh', '-c', MOUNT, 'sh', disk, ...command], { maxBuffer: 1 << 28 });

async function canMount(): Promise<boolean> {
  try {
    await onSmallDisk('mount', '-o', 'remount,size=1m', disk);
    return true;
  } catch {
    return false;
  }
}

beforeAll(async () => {
  kept = await keptFolder();
  // The project is made where the small disk will be: locations in tables are absolute.
  disk = kept.folder;
  await writeProject(disk);
  await writeSource(disk, '1.csv', { day: 1, rows: 12 });
  await inProject(disk, (lake) => runPipeline(lake));
  await writeSource(disk, '2.csv', { day: 3, rows: 9 });
  await kept.keep();
});
afterAll(() => kept.remove());

it('a disk that fills up in the middle of a run or of a move: a clear error, nothing half-published, and the next one ends it', {
  timeout: 600_000,
}, async (test) => {
  if (!(await canMount()))
    return test.skip('this machine lets nobody mount a small disk (unshare -rm, tmpfs)');
  const { stdout } = await onSmallDisk(
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    PROGRAM,
    disk,
    kept.kept,
  );
  const results: FullDisk[] = JSON.parse(stdout);
  expect(results.length).toBeGreaterThan(0);
  for (const { command, share, full, left, before, after, again, ended, changed } of results) {
    const when = `lake ${command}, room for ${share * 100} %`;
    expect(full.code, `${when}: ${full.stderr}`).toBe(1);
    expect(full.stderr, when).toMatch(/no space left|disk/i);
    for (const table of Object.keys(before)) {
      const allowed = table.startsWith('bronze.') ? [before[table], after[table]] : [before[table]];
      expect(allowed, `${table}, ${when}`).toContainEqual(left[table]);
    }
    expect(again, `again with room, ${when}`).toMatchObject({ code: 0 });
    expect(ended, `again with room, ${when}`).toEqual(after);
    expect(changed, when).toEqual([]);
  }
});
