/**
 * Runs in a mount namespace of its own, with a small tmpfs at the folder given. Per command, the disk is left room for a part of what the command
 * needs, the command is run, looked at, and run again with room. Prints what happened as JSON.
 */
import { execFileSync } from 'node:child_process';
import { cp, readdir, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../src/clock.ts';
import { lake as cli } from '../cli/recorded-terminal.ts';
import { currentAnswers, historyAnswers, inProject } from './tiny-project.ts';

type Answers = Record<string, string[]>;

/** One command on a disk with room for a share of what it needs. */
export interface FullDisk {
  readonly command: string;
  readonly share: number;
  readonly full: { readonly code: number; readonly stdout: string; readonly stderr: string };
  readonly left: Answers;
  readonly before: Answers;
  readonly after: Answers;
  /** The command once more, with room. */
  readonly again: { readonly code: number; readonly stderr: string };
  readonly ended: Answers;
  /** Of the snapshots and tags there were before, those that answer otherwise now. */
  readonly changed: readonly string[];
}

const SHARES = [0.02, 0.4, 0.7, 0.95];
const ROOM = '256m';
const DAY = 24 * 3_600_000;

const [folder = '', kept = ''] = process.argv.slice(2);

const MOUNT = 'mount';

const resize = (size: string) => execFileSync(MOUNT, ['-o', `remount,size=${size}`, folder]);

async function usedBytes(): Promise<number> {
  const { blocks, bfree, bsize } = await statfs(folder);
  return (blocks - bfree) * bsize;
}

async function replace(from: string, to: string): Promise<void> {
  for (const name of await readdir(to)) await rm(join(to, name), { recursive: true, force: true });
  for (const name of await readdir(from)) await cp(join(from, name), join(to, name), { recursive: true });
}

async function needOf(argv: readonly string[]): Promise<{ bytes: number; after: Answers }> {
  const used = await usedBytes();
  const { code, stderr } = await cli(folder, argv);
  if (code !== 0) throw new Error(`lake ${argv.join(' ')} ended with ${code}: ${stderr}`);
  const bytes = (await usedBytes()) - used;
  return { bytes, after: await inProject(folder, currentAnswers) };
}

async function onFullDisk(
  argv: readonly string[],
  share: number,
  need: { bytes: number; after: Answers },
): Promise<FullDisk> {
  await replace(kept, folder);
  const before = await inProject(folder, currentAnswers);
  const history = await inProject(folder, historyAnswers);
  resize(String((await usedBytes()) + Math.ceil((need.bytes * share) / 4096) * 4096));
  const full = await cli(folder, argv);
  resize(ROOM);
  const left = await inProject(folder, currentAnswers);
  // By this clock a lease that could not be given back has run out.
  const clock = { ...systemClock, now: () => systemClock.now() + DAY };
  const again = await cli(folder, argv, { clock });
  const now = await inProject(folder, historyAnswers);
  return {
    command: argv.join(' '),
    share,
    full,
    left,
    before,
    after: need.after,
    again,
    ended: await inProject(folder, currentAnswers),
    changed: Object.keys(history).filter((at) => JSON.stringify(now[at]) !== JSON.stringify(history[at])),
  };
}

const results: FullDisk[] = [];
await replace(kept, folder);
for (const argv of [['run'], ['tier', 'apply', '--yes', '--now', '2001-07-01']]) {
  const need = await needOf(argv);
  for (const share of SHARES) results.push(await onFullDisk(argv, share, need));
  // The next command's state: this one has been done.
  await replace(folder, kept);
}
process.stdout.write(JSON.stringify(results));
