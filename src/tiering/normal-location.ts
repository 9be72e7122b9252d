/** A location with one spelling of scheme and slashes: `file:/a//b` and `file:///a/b` are the same object. */
export function normalLocation(location: string): string {
  const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):\/*/.exec(location);
  const name = (scheme?.[1] ?? 'file').toLowerCase();
  const rest = location
    .slice(scheme?.[0].length ?? 0)
    .replace(/^\/+/, '')
    .replace(/\/{2,}/g, '/');
  return `${name === 's3a' || name === 's3n' ? 's3' : name}://${rest}`;
}
