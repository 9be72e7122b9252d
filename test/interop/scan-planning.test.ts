import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { startCatalogServer } from '../../catalog/server.ts';
import { systemClock } from '../../src/clock.ts';

const python = process.env['LAKE_PYTHON'];
const isThere =
  python !== undefined &&
  (!python.includes('/') || existsSync(python)) &&
  execFileSync(python, ['-c', 'import pyiceberg, pyarrow; print("ok")']).toString().trim() === 'ok';

it.skipIf(!isThere)('PyIceberg reads the same rows by plans of the catalog as by its own', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lake-planned-'));
  const server = await startCatalogServer({
    database: join(folder, 'catalog.db'),
    warehouse: `file://${folder}/hot`,
    host: '127.0.0.1',
    port: 0,
    clock: systemClock,
  });
  try {
    const script = join(import.meta.dirname, 'planned_by_server.py');
    const { stdout } = await promisify(execFile)(python ?? '', [script, server.address]);
    expect(JSON.parse(stdout)).toEqual({
      'planned by the server': true,
      filters: 19,
      different: [],
      'rows of the first snapshot': 20,
    });
  } finally {
    await server.close();
    await rm(folder, { recursive: true, force: true });
  }
});
