import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Catalog } from '../../src/catalog-client/catalog.ts';
import { appendSelect } from '../../src/table/append.ts';
import type { LakeContext } from '../../src/table/context.ts';
import { deleteWhere } from '../../src/table/delete.ts';
import { overwriteSelect } from '../../src/table/overwrite.ts';
import { upsertSelect } from '../../src/table/upsert.ts';
import { AT_WARM, HOUR, tierApply } from '../faults/tiny-lake.ts';
import {
  append,
  createTable,
  everything,
  type MovingLake,
  nameOf,
  openMovingLake,
  remove,
} from '../tiering/moving-lake.ts';

let lake: MovingLake;
beforeEach(async () => {
  lake = await openMovingLake();
});
afterEach(() => lake.close());

/** The lake as a writer sees it whose first commit comes after `meanwhile`. */
function overtaken(meanwhile: () => Promise<unknown>): LakeContext {
  let raced = false;
  const commitTable: Catalog['commitTable'] = async (commit) => {
    if (!raced) {
      raced = true;
      await meanwhile();
    }
    return lake.catalog.commitTable(commit);
  };
  const catalog = new Proxy(lake.catalog, {
    get: (target, key) => (key === 'commitTable' ? commitTable : Reflect.get(target, key).bind(target)),
  });
  return { ...lake, catalog };
}

const ROWS = `SELECT i::INT AS id, TIMESTAMPTZ '2001-01-01 12:00:00+00' AS ts, 'new' AS note FROM range(0, 3) r(i)`;

const CHANGES: Readonly<Record<string, (context: LakeContext, table: string) => Promise<unknown>>> = {
  append: (context, table) => appendSelect(context, lake.engine, nameOf(table), { sql: ROWS }),
  overwrite: (context, table) => overwriteSelect(context, lake.engine, nameOf(table), { sql: ROWS }),
  delete: (context, table) => deleteWhere(context, lake.engine, nameOf(table), { where: 'id % 3 = 1' }),
  'upsert merge-on-read': (context, table) =>
    upsertSelect(context, lake.engine, nameOf(table), { sql: ROWS, keys: ['id'], mode: 'merge-on-read' }),
  'upsert copy-on-write': (context, table) =>
    upsertSelect(context, lake.engine, nameOf(table), { sql: ROWS, keys: ['id'], mode: 'copy-on-write' }),
};

it.each(Object.keys(CHANGES))(
  '%s overtaken by a move between tiers loses and resurrects no row',
  async (name) => {
    const change = CHANGES[name]!;
    for (const table of ['twin', 'moved']) {
      await createTable(lake, table);
      await append(lake, table, 0, 12);
      await append(lake, table, 12, 12);
      await remove(lake, table, 'id % 10 = 3');
    }
    await change(lake, 'twin');
    const expected = await everything(lake, 'twin');
    await change(
      overtaken(() => tierApply(lake, AT_WARM)),
      'moved',
    );
    expect(await everything(lake, 'moved')).toEqual(expected);
    lake.pass(2 * HOUR);
    await tierApply(lake, AT_WARM);
    expect(await everything(lake, 'moved')).toEqual(expected);
  },
);
