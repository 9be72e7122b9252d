import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { lake } from '../cli/recorded-terminal.ts';
import { type ArchiveServer, startArchiveServer } from '../storage/archive-server.ts';

let folder: string;
const servers: ArchiveServer[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lake-checked-'));
});
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
  await rm(folder, { recursive: true, force: true });
});

async function serve(options?: { readonly ignoresConditions: boolean }): Promise<ArchiveServer> {
  const server = await startArchiveServer(options);
  servers.push(server);
  await writeFile(
    join(folder, 'lake.yaml'),
    `version: 1
name: t
warehouse: "s3://lake/w"
catalog: { embedded: ./c.db }
storage: { endpoint: "${server.endpoint}", region: us-east-1, path_style: true, access_key_id: k, secret_access_key: s }
tiers:
  hot: { location: "{warehouse}/hot" }
  cold: { location: "s3://other/cold" }
`,
  );
  return server;
}

it('a store that ignores If-None-Match is refused before a table is made on it', async () => {
  const server = await serve({ ignoresConditions: true });
  await writeFile(join(folder, 'a.csv'), 'a\n1\n');
  for (let time = 0; time < 2; time++) {
    const { code, stderr } = await lake(folder, ['ingest', 'raw.a', 'a.csv', '--create']);
    expect(code).toBe(1);
    expect(stderr).toContain('ignores If-None-Match');
  }
  expect([...server.objects.keys()]).toEqual([]);
});

/** The folders of the names that were put, each name once. */
const tried = ({ puts }: ArchiveServer): string[] =>
  [...new Set(puts.map((url) => url.replace(/\?.*$/, '')))].map((path) => path.replace(/\/[^/]*$/, ''));

it('one that heeds it is tried once a bucket, and again only at another server', async () => {
  const first = await serve();
  expect((await lake(folder, ['table', 'list'])).code).toBe(0);
  expect(tried(first)).toEqual(['/lake/w/hot', '/other/cold']);
  expect([...first.objects.keys()]).toEqual([]);
  expect((await lake(folder, ['table', 'list'])).code).toBe(0);
  expect(tried(first)).toHaveLength(2);
  const second = await serve();
  expect((await lake(folder, ['table', 'list'])).code).toBe(0);
  expect(tried(second)).toHaveLength(2);
});

it('one that does not answer is not remembered, and keeps nobody from what needs no files', async () => {
  const gone = await serve();
  await gone.close();
  servers.pop();
  expect((await lake(folder, ['table', 'list'])).code).toBe(0);
  const server = await serve({ ignoresConditions: true });
  expect(server.endpoint).not.toBe('');
  expect((await lake(folder, ['table', 'list'])).code).toBe(1);
});
