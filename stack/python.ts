import { spawnSync } from 'node:child_process';

/** A Python between two minor versions of 3 (both included), with venv; null if there is none. */
export function findPython(least: number, most: number): string | null {
  const names = ['python3'];
  for (let minor = most; minor >= least; minor--) names.push(`python3.${minor}`);
  return names.find((name) => fits(name, least, most)) ?? null;
}

function fits(command: string, least: number, most: number): boolean {
  const script = 'import sys, venv, ensurepip; print(sys.version_info.major, sys.version_info.minor)';
  const { status, stdout } = spawnSync(command, ['-c', script], { encoding: 'utf8' });
  const [major, minor] = String(stdout).trim().split(' ').map(Number);
  return status === 0 && major === 3 && minor !== undefined && minor >= least && minor <= most;
}
