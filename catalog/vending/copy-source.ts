import { unclear } from './object-address.ts';

/**
 * The object that an `x-amz-copy-source` names: `bucket/key`, percent-encoded, perhaps with a slash before it. Errors: `invalid-argument` for versions,
 * access points, and characters that servers read in different ways.
 */
export function copiedFrom(source: string): { readonly bucket: string; readonly key: string } {
  if (/[+?#\\]|[^\x21-\x7e]/.test(source))
    throw unclear('its copy source has +, ?, # or a raw character in it');
  const [bucket = '', ...names] = textOf(source.replace(/^\//, '')).split('/');
  const isPlain = names.length > 0 && names.every((name) => name !== '' && name !== '.' && name !== '..');
  const key = names.join('/');
  // Some servers look for a version behind a `?` after they have decoded the name.
  if (!/^[a-z0-9.-]+$/.test(bucket) || !isPlain || /[\p{Cc}\\?#%]/u.test(key)) {
    throw unclear('its copy source can be read in more than one way');
  }
  return { bucket, key };
}

function textOf(source: string): string {
  try {
    return decodeURIComponent(source);
  } catch {
    throw unclear('the percent escapes of its copy source are no text');
  }
}
