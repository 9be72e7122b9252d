import { LakeError } from '../../src/errors.ts';
import { encodeName } from '../../src/storage/s3-location.ts';
import type { S3Settings } from '../../src/storage/s3-settings.ts';

/** A URI taken apart as it stands: nothing is decoded or made shorter. */
export interface RawUri {
  readonly protocol: 'http' | 'https';
  /** In lower case, with the port if it is not the protocol's own. */
  readonly host: string;
  /** With its leading slash. */
  readonly path: string;
  readonly query: string;
}

/** What a request to an S3 server names; bucket, key and parameters decoded, once, as the server does it. */
export interface ObjectAddress {
  readonly uri: RawUri;
  readonly region: string;
  readonly bucket: string;
  /** '' for the bucket itself. */
  readonly key: string;
  /** The path that is signed: decoded and encoded again. */
  readonly path: string;
  readonly query: ReadonlyMap<string, string>;
}

const URI =
  /^(https?):\/\/([A-Za-z0-9.-]+(?::\d{1,5})?|\[[0-9a-f:]+\](?::\d{1,5})?)(\/[^?#]*)?(?:\?([^#]*))?$/i;

/** Errors: `invalid-argument` for userinfo, fragments and what is no URI of http. */
export function rawUri(uri: string): RawUri {
  const [, scheme, authority, path = '/', query = ''] = URI.exec(uri) ?? [];
  const protocol = scheme?.toLowerCase();
  if ((protocol !== 'http' && protocol !== 'https') || authority === undefined || /[^\x21-\x7e]/.test(uri)) {
    throw unclear('it is no plain http address');
  }
  const ownPort = protocol === 'http' ? /:80$/ : /:443$/;
  return { protocol, host: authority.toLowerCase().replace(ownPort, ''), path, query };
}

/** True for a URI of this server, in one of the ways that its settings allow. */
export function isOn(uri: RawUri, settings: S3Settings, region: string): boolean {
  return bucketInHost(uri, settings, region) !== null;
}

/**
 * What a URI of a server names. Errors: `invalid-argument` where paths or parameters could be read in more than one way; `forbidden` for another
 * server.
 */
export function addressOn(uri: RawUri, settings: S3Settings, asked: string): ObjectAddress {
  const region = regionOf(settings, asked);
  const inHost = bucketInHost(uri, settings, region);
  if (inHost === null) {
    throw new LakeError('forbidden', `The catalog does not sign requests to ${uri.host}`, {
      hint: 'It signs requests to the S3 servers of the lake, under the addresses that it gives to clients.',
    });
  }
  const names = uri.path.slice(1).split('/').map(decoded);
  const path = `/${names.map(encodeName).join('/')}`;
  const [bucket = '', ...rest] = inHost === '' ? names : [inHost, ...names];
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket)) throw unclear('it names no bucket');
  const key = rest.join('/');
  if (key !== '' && rest.some((name) => isAmbiguous(name))) throw unclear('its path has names that are none');
  return { uri, region, bucket, key, path, query: parameters(uri.query) };
}

/** The bucket in the host's name, '' if it stands in the path; null for another server. */
function bucketInHost(uri: RawUri, { endpoint, pathStyle }: S3Settings, region: string): string | null {
  if (endpoint === undefined) return uri.protocol === 'https' ? bucketOfAws(uri.host, region) : null;
  const own = rawUri(endpoint.replace(/\/+$/, ''));
  if (own.path !== '/' || own.protocol !== uri.protocol) return null;
  if (uri.host === own.host) return '';
  // Only where the server is said to read it so: another one would take the path's first name for the bucket.
  if (pathStyle !== false || !uri.host.endsWith(`.${own.host}`)) return null;
  return uri.host.slice(0, -own.host.length - 1);
}

function bucketOfAws(host: string, region: string): string | null {
  for (const own of [
    `s3.${region}.amazonaws.com`,
    `s3.dualstack.${region}.amazonaws.com`,
    's3.amazonaws.com',
  ]) {
    if (host === own) return '';
    if (host.endsWith(`.${own}`)) return host.slice(0, -own.length - 1);
  }
  return null;
}

function regionOf({ region, endpoint }: S3Settings, asked: string): string {
  const own = region ?? (endpoint === undefined ? asked : 'us-east-1');
  if (!/^[a-z0-9-]{1,64}$/.test(own)) throw unclear('its region is none');
  return own;
}

/** Names that servers leave out, or take for others; also an empty one, which some leave out. */
function isAmbiguous(name: string): boolean {
  return name === '' || name === '.' || name === '..' || /[\p{Cc}\\/]/u.test(name);
}

function parameters(query: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const part of query.split('&')) {
    if (part === '') continue;
    // A raw plus is a blank to some and a plus to others; a semicolon ends a parameter for some.
    if (/[+;]/.test(part)) throw unclear('a parameter has a raw + or ;');
    const [name = '', ...value] = part.split('=');
    const key = decoded(name);
    if (found.has(key)) throw unclear(`the parameter ${key} comes twice`);
    found.set(key, decoded(value.join('=')));
  }
  return found;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw unclear('its percent escapes are no text');
  }
}

export function unclear(why: string): LakeError {
  return new LakeError('invalid-argument', `The request cannot be signed: ${why}`, {
    hint: 'Nothing was signed.',
  });
}
