import { afterEach, describe, expect, it, vi } from 'vitest';
import { LakeError } from '../../src/errors.ts';
import { parseTableName } from '../../src/table/table.ts';
import { createRef } from '../../src/table/tag.ts';
import { inEventsProject } from './events-project.ts';

const SEVEN_HOURS = 7 * 3_600_000;

afterEach(() => {
  vi.restoreAllMocks();
});

describe('publishing a run', () => {
  it('keeps the branches after an unknown outcome, also where the catalog does not answer the question either', async () => {
    await inEventsProject({}, async ({ lake, table, rows, run }) => {
      const { catalog } = lake;
      const load = catalog.loadTable.bind(catalog);
      const commit = catalog.commitTransaction.bind(catalog);
      let late = async () => {};
      let isDown = false;
      vi.spyOn(catalog, 'commitTransaction').mockImplementationOnce(async (changes) => {
        isDown = true;
        late = async () => {
          await commit(changes);
        };
        throw new LakeError('unknown-outcome', 'connection reset');
      });
      vi.spyOn(catalog, 'loadTable').mockImplementation((identifier) => {
        if (!isDown) return load(identifier);
        isDown = false;
        return Promise.reject(new LakeError('unavailable', 'no answer', { hint: 'Nothing was changed.' }));
      });
      await expect(run()).rejects.toMatchObject({ kind: 'unknown-outcome' });
      expect(Object.keys((await table('silver.e')).metadata.refs)).toEqual([expect.stringMatching(/^run_/)]);
      // The commit was under way all the time.
      await late();
      expect(await rows('SELECT v FROM "t" ORDER BY v')).toHaveLength(2);
      expect((await run())['silver.e']).toBe('unchanged 0');
    });
  });

  it('drops what dead runs left behind, and says so; a branch of a user stays, whatever it is called', async () => {
    await inEventsProject({}, async ({ lake, table, run }) => {
      await run();
      const id = parseTableName('silver.e');
      const dead = 'run_20010101t101010_0123abcd';
      const users = ['run_mine', 'run_2001', `${dead}_mine`, `my_${dead}`];
      for (const name of [dead, ...users]) await createRef(lake, id, { name, type: 'branch' });
      const warnings: string[] = [];
      const warn = (message: string) => warnings.push(message);
      await run({ warn });
      expect(warnings).toEqual([]);
      const clock = { ...lake.clock, now: () => lake.clock.now() + SEVEN_HOURS };
      await run({ warn }, { ...lake, clock });
      expect(Object.keys((await table('silver.e')).metadata.refs).sort()).toEqual(['main', ...users].sort());
      expect(warnings).toEqual([expect.stringMatching(`the branch ${dead} of silver.e`)]);
    });
  });
});
