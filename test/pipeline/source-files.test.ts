import { appendFile, readdir, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { mainSnapshotId } from '../../src/pipeline/model-state.ts';
import { rollback } from '../../src/table/rollback.ts';
import { parseTableName } from '../../src/table/table.ts';
import { type EventsProject, inEventsProject } from './events-project.ts';

const VALUES = 'SELECT CAST(v AS INTEGER) AS v FROM "t" ORDER BY v';

afterEach(() => {
  reading.change = null;
});

/** What happens to a source file once, after its rows were read and before they are committed. */
const reading: { change: (() => Promise<void>) | null } = vi.hoisted(() => ({ change: null }));

vi.mock(import('../../src/table/write-table.ts'), async (load) => {
  const { writeTableSelect } = await load();
  return {
    writeTableSelect: async (...given) => {
      const files = await writeTableSelect(...given);
      const change = reading.change;
      reading.change = null;
      await change?.();
      return files;
    },
  };
});

const dataFiles = async ({ root }: EventsProject) =>
  (await readdir(join(root, 'w'), { recursive: true })).filter((name) => name.endsWith('.parquet'));

describe('a source file', () => {
  it.each([
    ['grows', (path: string) => appendFile(path, '2001-01-03 10:00:00,3\n')],
    [
      'is written over with as many bytes',
      async (path: string) => {
        const { mtimeMs } = await stat(path);
        await writeFile(path, 'ts,v\n2001-01-01 10:00:00,1\n2001-01-02 10:00:00,7\n');
        await utimes(path, mtimeMs / 1000, mtimeMs / 1000 + 1);
      },
    ],
  ])('that %s while it is read lands not in part, but whole in the next run', async (how, change) => {
    await inEventsProject({}, async (project) => {
      reading.change = () => change(join(project.root, 'data/1.csv'));
      await expect(project.run()).rejects.toMatchObject({
        kind: 'conflict',
        message: expect.stringContaining('data/1.csv is still being written'),
      });
      expect((await dataFiles(project)).filter((name) => !name.includes('lake_system'))).toEqual([]);
      await project.run();
      const source = await project.rows(VALUES, 'bronze.e');
      expect(source.map(({ v }) => v)).toEqual(how === 'grows' ? [1, 2, 3] : [1, 7]);
      expect(await project.run()).toEqual({ 'bronze.e': 'unchanged 0', 'silver.e': 'unchanged 0' });
    });
  });

  it('that was completed after the run found it lands whole and stands', async () => {
    await inEventsProject({ 'data/2.csv': 'ts,v\n2001-01-02 10:00:00,3\n' }, async (project) => {
      reading.change = () => appendFile(join(project.root, 'data/2.csv'), '2001-01-03 10:00:00,4\n');
      expect(await project.run()).toEqual({ 'bronze.e': 'landed 4', 'silver.e': 'built 4' });
      expect((await project.run())['bronze.e']).toBe('unchanged 0');
    });
  });

  it('that has changed since it landed is refused, and replaces its rows once the user says so', async () => {
    await inEventsProject({ 'data/2.csv': 'ts,v\n2001-01-02 11:00:00,3\n' }, async (project) => {
      const { lake, write, rows, run, table } = project;
      await run();
      const before = mainSnapshotId((await table('bronze.e')).metadata);
      await write(
        'data/1.csv',
        'ts,v\n2001-01-01 10:00:00,10\n2001-01-05 10:00:00,50\n2001-01-06 10:00:00,60\n',
      );
      await expect(run()).rejects.toMatchObject({
        kind: 'invalid-argument',
        message: expect.stringContaining('data/1.csv has changed since it landed in bronze.e'),
        hint: expect.stringContaining('lake run --land-again data/1.csv'),
      });
      const replaced = { 'bronze.e': 'landed 3', 'silver.e': 'built 4' };
      expect(await run({ landAgain: ['data/1.csv'] })).toEqual(replaced);
      for (const id of ['bronze.e', 'silver.e']) {
        expect((await rows(VALUES, id)).map(({ v }) => v)).toEqual([3, 10, 50, 60]);
      }
      // Said again it does nothing: the table holds these bytes.
      expect((await run({ landAgain: ['data/1.csv'] }))['bronze.e']).toBe('unchanged 0');
      expect((await run())['bronze.e']).toBe('unchanged 0');

      // Back at the first landing main holds the old rows: the file is not taken for them.
      await rollback(lake, parseTableName('bronze.e'), { to: String(before) });
      await expect(run()).rejects.toThrow(/data\/1\.csv has changed since it landed/);
      expect((await run({ landAgain: ['data/1.csv'] }))['bronze.e']).toBe('landed 3');
      expect((await rows(VALUES)).map(({ v }) => v)).toEqual([3, 10, 50, 60]);
    });
  });
});
