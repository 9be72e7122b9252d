import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../../src/cli/program.ts';
import { processTerminal } from '../../src/cli/terminal.ts';
import { systemClock } from '../../src/clock.ts';
import { landCorrection, mustRun, rowsOf, smallFlights } from '../small-flights.ts';
import { findPython } from './find-python.ts';

const python = findPython('pyiceberg, pyarrow');
const inCi = Boolean(process.env['CI']);
if (python === undefined && !inCi) {
  console.warn(
    'skipped: no Python with PyIceberg (python3 -m venv .venv && .venv/bin/pip install "pyiceberg[pyarrow]")',
  );
}

/** What PyIceberg read: {table: {point: {rows, digest}}}. */
type Report = Record<string, Record<string, { rows: number; digest: string }>>;

/** Lets PyIceberg read everything through the served catalog of a project. */
async function readAll(folder: string): Promise<Report> {
  const { promise: stopped, resolve: stop } = Promise.withResolvers<void>();
  const { promise: address, resolve: answered } = Promise.withResolvers<string>();
  const served = runCli(['-C', folder, '--output', 'json', 'catalog', 'serve', '--port', '0'], {
    ...processTerminal(),
    stdout: { write: (text) => answered(JSON.parse(text).address), isTTY: false },
    stopRequested: () => stopped,
  });
  try {
    const uri = await Promise.race([
      address,
      served.then((code) => Promise.reject(new Error(`serve ended with ${code}`))),
    ]);
    const script = join(import.meta.dirname, 'read_all.py');
    const { stdout } = await promisify(execFile)(python ?? 'python3', [script, uri], { maxBuffer: 64e6 });
    return JSON.parse(stdout);
  } finally {
    stop();
    await served;
  }
}

describe.skipIf(python === undefined && !inCi)('PyIceberg, through lake catalog serve', () => {
  let project: Awaited<ReturnType<typeof smallFlights>>;
  let before: Report;

  beforeAll(async () => {
    project = await smallFlights({ nth: 150 });
    await mustRun(project.folder, ['run']);
    await mustRun(project.folder, ['table', 'tag', 'silver.flights', 'reported']);
    await mustRun(project.folder, ['table', 'tag', 'gold.fct_flight', 'reported']);
    const where = "origin = 'ORD' AND delay_minutes > 10";
    await mustRun(project.folder, ['table', 'delete', 'silver.flights', '--where', where]);
    await landCorrection(project.folder, '2001-07-01.csv', '2001-02-14');
    await mustRun(project.folder, ['run']);
    before = await readAll(project.folder);
  });
  afterAll(() => project.remove());

  it('counts as many rows as Lakewarden in every table, snapshot and tag', async () => {
    const tables = (await rowsOf(project.folder, ['table', 'list'])).map((row) => String(row['table']));
    expect(Object.keys(before).sort()).toEqual(tables);
    for (const [table, points] of Object.entries(before)) {
      for (const [point, { rows }] of Object.entries(points)) {
        const asOf = point === 'current' ? 'main' : point.split(' ').slice(1).join(' ');
        const [own] = await rowsOf(project.folder, [
          'sql',
          `SELECT count(*) AS n FROM ${table}`,
          '--as-of',
          asOf,
        ]);
        expect(Number(own?.['n']), `${table} ${point}`).toBe(rows);
      }
    }
    expect(Object.keys(before['silver.flights'] ?? {})).toContain('tag reported');
    expect(before['silver.flights']?.['tag reported']?.rows).toBeGreaterThan(
      before['silver.flights']?.['current']?.rows ?? 0,
    );
  });

  it('reads the same rows after moves to warm and cold, the old objects being deleted', async () => {
    await mustRun(project.folder, ['tier', 'apply', '--yes', '--now', '2001-07-01']);
    // Two days later by the wall clock, the grace of 24 h has passed: the next run deletes the old objects.
    const clock = { ...systemClock, now: () => systemClock.now() + 2 * 86_400_000 };
    const swept = await mustRun(
      project.folder,
      ['tier', 'apply', '--yes', '--now', '2001-07-01', '-o', 'json'],
      { clock },
    );
    expect(JSON.parse(swept.stdout).ledger.deleted).toBeGreaterThan(100);
    const status = await rowsOf(project.folder, ['tier', 'status', '--now', '2001-07-01']);
    expect(new Set(status.map((row) => row['tier']))).toEqual(new Set(['hot', 'warm', 'cold']));

    const after = await readAll(project.folder);
    for (const [table, points] of Object.entries(before)) expect(after[table], table).toMatchObject(points);
  });
});
