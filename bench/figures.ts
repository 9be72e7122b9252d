import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { LakeError } from '../src/errors.ts';

/** What a piece of work took: wall clock and CPU in ms, peak memory of the process in MB. */
export interface Figures {
  readonly ms: number;
  readonly cpu_ms: number;
  readonly count: number;
  readonly rss_mb: number;
}

/** Times work that returns how many things it did. */
export async function measured(work: () => Promise<number>): Promise<Figures> {
  const [began, cpu] = [performance.now(), process.cpuUsage()];
  const count = await work();
  const used = process.cpuUsage(cpu);
  return {
    ms: performance.now() - began,
    cpu_ms: (used.user + used.system) / 1000,
    count,
    rss_mb: Math.round(process.resourceUsage().maxRSS / 1000),
  };
}

export const quantile = (numbers: readonly number[], at: number): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length * at)] ?? Number.NaN;

export const median = (numbers: readonly number[]): number => quantile(numbers, 0.5);

export const rounded = (number: number, digits = 2): number => Number(number.toFixed(digits));

/** One JSON line a figure. */
export function printFigures(figures: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify(figures)}\n`);
}

/** The Python that has PyIceberg. Errors: `usage` where `LAKE_PYTHON` is not set. */
export function python(): string {
  const path = process.env['LAKE_PYTHON'];
  if (path !== undefined && path !== '') return path;
  throw new LakeError(
    'usage',
    'This benchmark runs PyIceberg beside ours and does not know which Python has it',
    {
      hint: "Write its path into LAKE_PYTHON: python3 -m venv V && V/bin/pip install 'pyiceberg[pyarrow]>=0.12,<0.13'; LAKE_PYTHON=V/bin/python",
    },
  );
}

/** What a script of Python prints, read as JSON. */
export async function askPython<T>(script: string, args: readonly string[]): Promise<T> {
  return answer<T>(python(), ['-c', script, ...args]);
}

/** What another process of ours prints, read as JSON; `file` runs as TypeScript. */
export async function askNode<T>(
  file: string,
  args: readonly string[],
  options: readonly string[] = [],
): Promise<T> {
  return answer<T>(process.execPath, ['--disable-warning=ExperimentalWarning', ...options, file, ...args]);
}

async function answer<T>(command: string, args: readonly string[]): Promise<T> {
  const { stdout } = await promisify(execFile)(command, args, { maxBuffer: 1 << 28 });
  return JSON.parse(stdout) as T;
}
