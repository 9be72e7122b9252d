import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { startCatalogServer } from '../../catalog/server.ts';
import { openEmbeddedCatalog } from '../../src/catalog-client/embedded.ts';
import { RestCatalog } from '../../src/catalog-client/rest-client.ts';
import { systemClock } from '../../src/clock.ts';

const python = process.env['LAKE_PYTHON'];
const isThere =
  python !== undefined &&
  (!python.includes('/') || existsSync(python)) &&
  execFileSync(python, ['-c', 'import pyiceberg, pyarrow; print("ok")']).toString().trim() === 'ok';

it.skipIf(!isThere)('PyIceberg works with its credential, as far as its rights go', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lake-tokens-'));
  const options = {
    database: join(folder, 'catalog.db'),
    warehouse: `file://${folder}/hot`,
    clock: systemClock,
  };
  const local = await openEmbeddedCatalog(options);
  const server = await startCatalogServer({ ...options, host: '127.0.0.1', port: 0, auth: {} });
  try {
    for (const namespace of ['shop', 'hr']) await local.createNamespace([namespace]);
    const schema = { type: 'struct', 'schema-id': 0, fields: [] } as const;
    await local.createTable(['hr'], { name: 'salaries', schema });
    const accounts: string[] = [];
    for (const [name, privilege] of [
      ['etl', 'manage'],
      ['bi', 'read'],
    ]) {
      const made = await local.extension<{ secret: string }>('POST', '/lake/v1/principals', { name });
      const on = { kind: 'namespace', levels: ['shop'] };
      const grantee = { kind: 'principal', name };
      await local.extension('POST', '/lake/v1/grants', { grantee, privilege, on });
      accounts.push(`${name}:${made.secret}`);
    }
    const script = join(import.meta.dirname, 'guarded_by_tokens.py');
    const { stdout } = await promisify(execFile)(python ?? '', [script, server.address, ...accounts]);
    expect(JSON.parse(stdout)).toEqual({
      namespaces: [['shop']],
      tables: [['shop', 'orders']],
      rows: 6,
      append: 'ForbiddenError',
      drop: 'ForbiddenError',
      hidden: 'NoSuchTableError',
      'wrong secret': 'OAuthError',
    });

    const own = new RestCatalog({ uri: server.address, credential: accounts[1] ?? '' });
    expect((await own.loadTable({ namespace: ['shop'], name: 'orders' })).metadata.snapshots).toHaveLength(2);
    await expect(own.dropTable({ namespace: ['shop'], name: 'orders' })).rejects.toMatchObject({
      kind: 'forbidden',
    });
  } finally {
    await server.close();
    await local.close();
    await rm(folder, { recursive: true, force: true });
  }
});
