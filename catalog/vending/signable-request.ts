import { LakeError } from '../../src/errors.ts';
import type { S3Settings } from '../../src/storage/s3-settings.ts';
import { copiedFrom } from './copy-source.ts';
import { deletedKeys } from './deleted-keys.ts';
import { addressOn, type ObjectAddress, rawUri } from './object-address.ts';
import type { ObjectRight } from './session-policy.ts';

/** A request that a client wants signed (REST spec: `RemoteSignRequest`). Header names are in lower case. */
export interface RequestToSign {
  readonly method: string;
  readonly uri: string;
  readonly region: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** What the request does to the store: the objects it reads or changes, or the prefix that it lists, and what that takes. */
export interface ObjectAccess {
  readonly right: ObjectRight;
  readonly address: ObjectAddress;
  /** Keys of the bucket of `address`. */
  readonly keys: readonly string[];
  readonly listed?: string;
  readonly copied?: { readonly bucket: string; readonly key: string };
  /** The body belongs to what was checked: its hash is signed, whatever the client says. */
  readonly bindsBody: boolean;
}

/** The same operations under other names, to servers that are not only S3: copies, ACLs, other methods, deletion of whole prefixes. */
const OTHER_SERVERS =
  /^x-(?:goog|oss|obs|cos|minio|rgw|emc|ibm|tos|bce|ms)-|^x-(?:http-)?method(?:-override)?$/;

type Query = ReadonlyMap<string, string>;
type Operation = (request: RequestToSign, address: ObjectAddress) => Omit<ObjectAccess, 'address'>;

/** Parameters that change nothing of what a request does. */
const NEUTRAL = ['x-id'];
const LISTING = [
  'list-type',
  'prefix',
  'delimiter',
  'max-keys',
  'continuation-token',
  'start-after',
  'marker',
  'encoding-type',
  'fetch-owner',
];

/** Headers of S3 that say what is stored and how, and nothing of who may see it. */
const KNOWN_HEADERS =
  /^x-amz-(?:content-sha256|date|security-token|checksum-[a-z0-9-]+|sdk-checksum-algorithm|trailer|decoded-content-length|meta-.+|copy-source(?:-range|-if-[a-z-]+)?|metadata-directive|storage-class|server-side-encryption(?:-aws-kms-key-id|-context|-bucket-key-enabled)?|expected-bucket-owner|mp-object-size|user-agent|te)$/;

/**
 * What a request would do, read as its server reads it. Errors: `invalid-argument` for one that cannot be read in one way only; `forbidden` for
 * operations that are more than reading, writing, deleting and listing objects: ACLs, policies, tags, versions, buckets.
 */
export function objectAccess(request: RequestToSign, settings: S3Settings): ObjectAccess {
  const address = addressOn(rawUri(request.uri), settings, request.region);
  for (const name of Object.keys(request.headers)) {
    const isKnown = !name.startsWith('x-amz-') || KNOWN_HEADERS.test(name);
    if (!isKnown || OTHER_SERVERS.test(name)) throw notSigned(`the header ${name}`);
  }
  const operation = (address.key === '' ? BUCKET : OBJECT)[request.method];
  if (operation === undefined)
    throw notSigned(`${request.method} ${address.key === '' ? 'on a bucket' : ''}`);
  return { ...operation(request, address), address };
}

const OBJECT: Readonly<Record<string, Operation>> = {
  GET: (request, { key, query }) => {
    const isParts = query.has('uploadId');
    allowOnly(query, isParts ? ['uploadId', 'max-parts', 'part-number-marker'] : ['partNumber', 'versionId']);
    refuseCopy(request);
    return { right: isParts ? 'write' : 'read', keys: [key], bindsBody: false };
  },
  HEAD: (request, { key, query }) => {
    allowOnly(query, ['partNumber', 'versionId']);
    refuseCopy(request);
    return { right: 'read', keys: [key], bindsBody: false };
  },
  PUT: ({ headers }, { key, query }) => {
    allowOnly(query, query.has('uploadId') ? ['uploadId', 'partNumber'] : []);
    const source = headers['x-amz-copy-source'];
    const copied = source === undefined ? {} : { copied: copiedFrom(source) };
    return { right: 'write', keys: [key], bindsBody: false, ...copied };
  },
  POST: (request, { key, query }) => {
    allowOnly(query, query.has('uploads') ? ['uploads'] : ['uploadId']);
    if (!query.has('uploads') && !query.has('uploadId')) throw notSigned('POST of an object');
    refuseCopy(request);
    return { right: 'write', keys: [key], bindsBody: false };
  },
  DELETE: (request, { key, query }) => {
    allowOnly(query, ['uploadId']);
    refuseCopy(request);
    return { right: 'write', keys: [key], bindsBody: false };
  },
};

const BUCKET: Readonly<Record<string, Operation>> = {
  GET: (request, { query }) => {
    allowOnly(query, LISTING);
    refuseCopy(request);
    const listed = query.get('prefix');
    if (listed === undefined) throw notSigned('a listing without a prefix');
    return { right: 'read', keys: [], listed, bindsBody: false };
  },
  POST: (request, { query }) => {
    allowOnly(query, ['delete']);
    refuseCopy(request);
    if (!query.has('delete')) throw notSigned('POST to a bucket');
    if (request.body === undefined) throw notSigned('a deletion of many objects without its body');
    return { right: 'write', keys: deletedKeys(request.body), bindsBody: true };
  },
};

function allowOnly(query: Query, names: readonly string[]): void {
  for (const name of query.keys()) {
    if (!names.includes(name) && !NEUTRAL.includes(name)) throw notSigned(`the parameter ${name}`);
  }
}

function refuseCopy({ headers }: RequestToSign): void {
  if (headers['x-amz-copy-source'] !== undefined) throw notSigned('a copy by another method than PUT');
}

export function notSigned(what: string): LakeError {
  return new LakeError('forbidden', `The catalog does not sign ${what.trim()}`, {
    hint: "It signs requests that read, write, delete, copy or list a table's own objects.",
  });
}
