import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { loadLake } from '../../src/config.ts';
import { assignFreshIds } from '../../src/iceberg/schema.ts';
import { openLake } from '../../src/project/open-lake.ts';
import { localPath } from '../../src/storage/location.ts';
import { openTable } from '../../src/table/table.ts';
import { column, TABLE } from './ingest-lake.ts';

const LAKE = join(import.meta.dirname, '../../src/cli/main.ts');
const YAML =
  'version: 1\nname: race\nwarehouse: ./w\ncatalog: { embedded: ./c.db }\ntiers:\n  hot: { location: "{warehouse}/hot" }\n';
const ROWS = 100_000;

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'lake-race-'));
  await writeFile(join(root, 'lake.yaml'), YAML);
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function inLake<T>(use: (lake: Awaited<ReturnType<typeof openLake>>) => Promise<T>): Promise<T> {
  const lake = await openLake(await loadLake(root, {}), systemClock);
  try {
    return await use(lake);
  } finally {
    await lake.close();
  }
}

/** `lake ingest` as a process of its own, that waits for the end of its input. */
function startIngest(batchId: string) {
  const argv = ['-C', root, '--output', 'json', 'ingest', 'bronze.orders', '-', '--format', 'csv'];
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', LAKE, ...argv, '--batch-id', batchId],
    { stdio: 'pipe' },
  );
  // What became of a process that does not read is told by its exit code.
  child.stdin.on('error', () => {});
  const exited = Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)]);
  return { child, exited };
}

it('commits a batch once that two processes bring at the same time', async () => {
  await inLake(async ({ catalog }) => {
    const fields = [column('id', 'long', true), column('name', 'string')];
    const { schema } = assignFreshIds({ type: 'struct', 'schema-id': 0, fields });
    await catalog.createNamespace(TABLE.namespace);
    await catalog.createTable(TABLE.namespace, { name: TABLE.name, schema });
  });
  const rows = Array.from({ length: ROWS }, (_, i) => `${i},name ${i}\n`).join('');
  const both = [startIngest('once'), startIngest('once')];
  try {
    // More than a pipe holds: a process that has taken it has looked for the batch, and found none.
    await Promise.all(
      both.map(
        ({ child, exited }) =>
          new Promise<void>((taken) => {
            child.stdin.write(`id,name\n${rows}`, () => taken());
            void exited.then(() => taken());
          }),
      ),
    );
    for (const { child } of both) child.stdin.end();
    const ended = await Promise.all(both.map(({ exited }) => exited));
    const answers = ended.map(([[code], stdout, stderr]) => {
      expect(code, stderr).toBe(0);
      return JSON.parse(stdout);
    });
    expect(answers.map(({ status }) => status).sort()).toEqual(['already-ingested', 'ingested']);
    for (const answer of answers)
      expect(answer).toMatchObject({ rows: ROWS, batch_id: 'once', snapshot_id: answers[0].snapshot_id });
  } finally {
    for (const { child } of both) child.kill('SIGKILL');
  }
  await inLake(async (lake) => {
    const { metadata } = await openTable(lake, TABLE);
    expect(metadata.snapshots).toHaveLength(1);
    expect(metadata.snapshots[0]?.summary['total-records']).toBe(String(ROWS));
    expect((await readdir(localPath(`${metadata.location}/metadata`))).length).toBeGreaterThan(1);
  });
});
