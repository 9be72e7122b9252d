import { plainLocation } from '../../src/storage/location.ts';

/** Longest location that a table may be given, in bytes: S3 keys end at 1,024, and file names follow. */
const MAX_LOCATION_BYTES = 768;
/** Longest name in a path, in bytes: what file systems take. */
const MAX_SEGMENT_BYTES = 255;
const DECODE_ROUNDS = 8;
/** Characters that some reader takes for something else than a name: an end of the path, a pattern, a separator. */
const MEANT_OTHERWISE = /[\p{Cc}\u2028\u2029*?#\\/]/u;

/**
 * What of `location` lies below `folder`: '' for the folder itself, null if it lies elsewhere. Only spellings of the scheme are made alike
 * (`plainLocation`): what is left is raw, as the stores read it. Userinfo, ports and hosts are other text and so lie elsewhere. Pure.
 */
export function restBelow(folder: string, location: string): string | null {
  const prefix = plainLocation(folder)
    .replace(/\/*$/, '/')
    .replace(/^(\w+:)\/$/, '$1///');
  const plain = plainLocation(location);
  if (`${plain}/` === prefix) return '';
  return plain.startsWith(prefix) ? plain.slice(prefix.length) : null;
}

/**
 * Why a path cannot stand below a folder, whoever reads it; null if it can. A name counts as what any reader could take it for: with its
 * percent escapes undone, however often, and its compatibility characters made plain (`%252e`, a full-width solidus). Pure.
 */
export function pathProblem(path: string): string | null {
  if (!path.isWellFormed()) return 'it is no Unicode text';
  if (Buffer.byteLength(path) > MAX_LOCATION_BYTES) return `it is longer than ${MAX_LOCATION_BYTES} bytes`;
  for (const segment of path.split('/')) {
    const problem = segmentProblem(segment);
    if (problem !== null) return problem;
  }
  return null;
}

function segmentProblem(segment: string): string | null {
  if (segment === '') return 'it has an empty name between two slashes or at its end';
  if (Buffer.byteLength(segment) > MAX_SEGMENT_BYTES)
    return `a name in it is longer than ${MAX_SEGMENT_BYTES} bytes`;
  const read = unfolded(segment);
  if (read === null) return 'a name in it is escaped over and over';
  for (const name of [segment, read]) {
    // Some file systems drop spaces and dots at a name's end: ".. " is ".." to them.
    if (/^[.\s]*$/u.test(name)) return 'it has "." or ".." in it, escaped or as it stands';
    // Readers of URLs cut them off.
    if (/^\s|\s$/u.test(name)) return 'a name in it begins or ends with a space';
    if (MEANT_OTHERWISE.test(name)) {
      return 'it has a control character, *, ?, #, a backslash or an escaped slash in it';
    }
  }
  return null;
}

/**
 * Why an object's path below a folder that is its table's already could be read as another's; null if not. Names in it are the writers' (values of
 * partitions stand in them, escaped), and a store takes them as they are: only what stores themselves make something else of is refused. Pure.
 */
export function objectProblem(path: string): string | null {
  if (!path.isWellFormed()) return 'it is no Unicode text';
  for (const name of path.split('/')) {
    if (name === '' || name === '.' || name === '..') return 'it has an empty name, "." or ".." in it';
    if (/[\p{Cc}\\]/u.test(name)) return 'it has a control character or a backslash in it';
  }
  return null;
}

/** A name with its escapes undone until none is left; null if that does not end. */
function unfolded(name: string): string | null {
  let text = name.normalize('NFKC');
  for (let round = 0; round < DECODE_ROUNDS; round++) {
    const next = decoded(text).normalize('NFKC');
    if (next === text) return text;
    text = next;
  }
  return null;
}

function decoded(text: string): string {
  return text.replaceAll(/(?:%[0-9a-f]{2})+/gi, (escapes) => {
    try {
      return decodeURIComponent(escapes);
    } catch {
      // Not UTF-8: what is ASCII in it still says something.
      return escapes.replaceAll(/%([0-7][0-9a-f])/gi, (_, hex: string) =>
        String.fromCharCode(Number.parseInt(hex, 16)),
      );
    }
  });
}

/**
 * One text for all locations that some store or reader could take for the same folder, with a slash at its end: escapes undone, Unicode made
 * plain, slashes single, buckets and local paths in lower case. Two folders that lie in each other for anybody have keys that do. It may be the
 * same for two folders that are different on one store; so it decides overlaps, and nothing is read by it. Pure.
 */
export function placeKey(location: string): string {
  const plain = plainLocation(location);
  const colon = plain.indexOf(':');
  const scheme = plain.slice(0, colon);
  const names = plain
    .slice(colon + 1)
    .split('/')
    .map((name) => unfolded(name) ?? name)
    .flatMap((name) => name.split('/'))
    .filter((name) => name !== '' && name !== '.');
  const [first = '', ...rest] = names;
  const path = scheme === 'file' ? names.map((name) => name.toLowerCase()) : [first.toLowerCase(), ...rest];
  return `${[`${scheme}:`, ...path].join('/')}/`;
}

const UUID_TAIL = /-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/i;

/** The uuids at the ends of names in a location: a table's folder in a tier is `<table>-<uuid>`. Pure. */
export function uuidsIn(location: string): readonly string[] {
  return location.split('/').flatMap((name) => UUID_TAIL.exec(name)?.[1]?.toLowerCase() ?? []);
}
