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

/**
 * A location in the one spelling in which prefixes are compared: `file:///p` also for `file:/p` and a bare `/p`, `s3://` for `s3a` and `s3n`,
 * the scheme in lower case. Paths and keys stay raw, as the stores read them.
 */
export function plainLocation(location: string): string {
  const spelled = location.startsWith('/')
    ? `file://${location}`
    : location.replace(/^file:\/(?!\/)/i, 'file:///');
  const colon = Math.max(0, spelled.indexOf(':'));
  const scheme = spelled.slice(0, colon).toLowerCase();
  return `${scheme === 's3a' || scheme === 's3n' ? 's3' : scheme}${spelled.slice(colon)}`;
}

/** Longest name in a path that is made of a user's, in characters of up to 4 bytes: file systems take 255 bytes. */
const MAX_NAME = 48;

/**
 * Where a table's files lie below a warehouse or a tier: `<namespace levels>/<name>-<uuid>`, of letters, digits and `_ . = -` alone, so that no
 * store, policy or reader takes a character for something else. The uuid keeps names apart that look alike then.
 */
export function tablePath(
  table: { readonly namespace: readonly string[]; readonly name: string },
  uuid: string,
): string {
  return `${namespacePath(table.namespace)}/${pathName(table.name)}-${uuid}`;
}

/** Where tables of a namespace lie below a warehouse: its levels as in `tablePath`. */
export function namespacePath(levels: readonly string[]): string {
  return levels.map(pathName).join('/');
}

function pathName(name: string): string {
  const plain = name.normalize('NFKC').replace(/[^\p{L}\p{N}_.=-]/gu, '_');
  return [...plain].slice(0, MAX_NAME).join('').replace(/^\.+$/, '_');
}
