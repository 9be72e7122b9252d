/** True for errors of the operating system (`ENOSPC`, `EACCES` …), which carry a code. */
export function isSystemError(thrown: unknown): thrown is NodeJS.ErrnoException {
  return (
    thrown instanceof Error &&
    'code' in thrown &&
    typeof thrown.code === 'string' &&
    /^E[A-Z]+$/.test(thrown.code)
  );
}
