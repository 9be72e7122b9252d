import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** A Python that has these modules: LAKE_PYTHON, the project's .venv, or the one on the PATH. */
export function findPython(modules: string): string | undefined {
  const candidates = [process.env['LAKE_PYTHON'], '.venv/bin/python', 'python3'];
  return candidates.find((python) => {
    if (python === undefined || (python.includes('/') && !existsSync(python))) return false;
    try {
      execFileSync(python, ['-c', `import ${modules}`], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  });
}
