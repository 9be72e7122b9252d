import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lake } from './recorded-terminal.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lake-cli-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The names of the commands that a help page lists. */
function commandsOf(help: string): string[] {
  const listed = help.split('Commands:\n')[1]?.split('\n\n')[0] ?? '';
  return [...listed.matchAll(/^ {2}([a-z][a-z-]*)/gm)].map((match) => match[1] ?? '');
}

async function everyHelp(path: readonly string[] = []): Promise<{ path: string; help: string }[]> {
  const { stdout, code } = await lake(folder, [...path, '--help']);
  expect(code, path.join(' ')).toBe(0);
  const below = await Promise.all(commandsOf(stdout).map((name) => everyHelp([...path, name])));
  return [{ path: ['lake', ...path].join(' '), help: stdout }, ...below.flat()];
}

describe('help', () => {
  it('shows an example of every command, which starts with that command', async () => {
    const pages = await everyHelp();
    expect(pages.length).toBeGreaterThan(20);
    for (const { path, help } of pages) {
      expect(help, path).toMatch(/\nExamples?:\n/);
      expect(help.split(/\nExamples?:\n/)[1], path).toContain(`  ${path}`);
    }
  });
});

describe('wrong usage', () => {
  it('of a command names the nearest one and exits with 2', async () => {
    const { code, stdout, stderr } = await lake(folder, ['teir', 'plan']);
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain("unknown command 'teir'");
    expect(stderr).toContain('Did you mean tier?');
  });

  it.each([
    [['-o', 'json', 'nothing']],
    [['--output=json', 'sql']],
    [['table', 'show', '--output', 'json']],
    [['--output', 'json', '--now', 'yesterday', 'doctor']],
  ])('is one JSON document on stdout with --output json: %j', async (argv) => {
    const { code, stdout, stderr } = await lake(folder, argv);
    expect(code).toBe(2);
    expect(stderr).toBe('');
    const { error } = JSON.parse(stdout);
    expect(error).toMatchObject({ kind: 'usage', where: null });
    expect(error.message.length).toBeGreaterThan(10);
    expect(error.hint.length).toBeGreaterThan(10);
  });

  it('outside a project says how to make one', async () => {
    const { code, stderr } = await lake(folder, ['table', 'list']);
    expect(code).toBe(2);
    expect(stderr).toContain('lake.yaml');
    expect(stderr).toContain('lake init');
  });

  it('of --help is none: exit code 0 and nothing on stderr', async () => {
    expect(await lake(folder, ['--version'])).toMatchObject({ code: 0, stderr: '' });
    const bare = await lake(folder, ['tier']);
    expect(bare.code).toBe(2);
    expect(bare.stderr).toContain('Usage: lake tier');
  });
});
