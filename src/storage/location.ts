import { LakeError } from '../errors.ts';

/** The scheme of a location in lower case: `file`, `memory`, `s3`; a bare absolute path counts as `file`. */
export function schemeOf(location: string): string {
  if (location.startsWith('/')) return 'file';
  const colon = location.indexOf(':');
  if (colon <= 0) {
    throw new LakeError('invalid-argument', `"${location}" is no location: it names no scheme`, {
      hint: 'Write file:///absolute/path, memory://name or s3://bucket/key.',
    });
  }
  return location.slice(0, colon).toLowerCase();
}

/**
 * The absolute path of a `file:` location. The text is taken raw (a `%20` in it is three characters of the name), as
 * Iceberg's own file systems do. Accepts `file:///p`, Java's `file:/p` and a bare `/p`.
 * Errors: `invalid-argument` for other schemes, relative paths, `.` and `..` segments and NUL.
 */
export function localPath(location: string): string {
  const path = location.replace(/^file:(\/\/(?=\/))?/i, '');
  const hasDots = path.split('/').some((segment) => segment === '.' || segment === '..');
  if (!path.startsWith('/') || hasDots || path.includes('\0')) {
    throw new LakeError('invalid-argument', `"${location}" is no absolute file location`, {
      hint: 'Write file:///absolute/path without "." or ".." in it.',
    });
  }
  return path;
}

/** The `file://` location of an absolute path, unescaped. */
export function fileLocation(path: string): string {
  return `file://${path}`;
}

/** Joins a location and a relative path by exactly one slash. */
export function joinLocation(base: string, ...parts: readonly string[]): string {
  return [base.replace(/\/+$/, ''), ...parts.map((part) => part.replace(/^\/+|\/+$/g, ''))].join('/');
}
