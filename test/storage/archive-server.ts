import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { crc32 } from 'node:zlib';

const ARCHIVES = ['GLACIER', 'DEEP_ARCHIVE'];

interface Stored {
  readonly bytes: Buffer;
  readonly storageClass: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly modified: Date;
  restore?: 'ongoing' | 'done';
}

/** An S3 server in this process that treats archive classes as AWS does, which no server at hand has. */
export interface ArchiveServer {
  readonly endpoint: string;
  /** By `/bucket/key`. */
  readonly objects: ReadonlyMap<string, Stored>;
  /** Bodies of the restores that were asked for, by path. */
  readonly asked: readonly { readonly path: string; readonly body: string }[];
  /** Paths of the puts that came, refused ones too. */
  readonly puts: readonly string[];
  /** The time has passed: all that was asked for can be read. */
  thaw(): void;
  /** The days are over: it can be read no more. */
  freeze(): void;
  close(): Promise<void>;
}

/** Starts one; see the API reference of S3 for GetObject, CopyObject and RestoreObject. */
export async function startArchiveServer({ ignoresConditions = false } = {}): Promise<ArchiveServer> {
  const objects = new Map<string, Stored>();
  const asked: { path: string; body: string }[] = [];
  const puts: string[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    if (request.method === 'PUT') puts.push(request.url ?? '');
    if (ignoresConditions) delete request.headers['if-none-match'];
    request.on('end', () => answer(objects, asked, request, Buffer.concat(chunks), response));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    objects,
    asked,
    puts,
    thaw: () => {
      for (const stored of objects.values()) if (stored.restore === 'ongoing') stored.restore = 'done';
    },
    freeze: () => {
      for (const stored of objects.values()) delete stored.restore;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function answer(
  objects: Map<string, Stored>,
  asked: { path: string; body: string }[],
  request: IncomingMessage,
  body: Buffer,
  response: ServerResponse,
): void {
  const url = new URL(request.url ?? '/', 'http://s3');
  const path = decodeURIComponent(url.pathname);
  const stored = objects.get(path);
  if (request.method === 'GET' && url.searchParams.has('list-type')) list(objects, url, path, response);
  else if (request.method === 'POST' && url.searchParams.has('delete')) {
    const bucket = path.replace(/\/$/, '');
    for (const [, key] of body.toString().matchAll(/<Key>(.*?)<\/Key>/g)) objects.delete(`${bucket}/${key}`);
    response.writeHead(200).end('<DeleteResult/>');
  } else if (request.method === 'PUT') put(objects, path, request, body, response);
  else if (stored === undefined) refuse(response, 404, 'NoSuchKey', request.method);
  else if (request.method === 'POST' && url.searchParams.has('restore')) {
    const refusal = restoreRefusal(stored);
    if (refusal !== null) refuse(response, ...refusal);
    else {
      asked.push({ path, body: body.toString() });
      stored.restore ??= 'ongoing';
      response.writeHead(202).end();
    }
  } else if (request.method === 'GET' && !isReadable(stored)) refuse(response, 403, 'InvalidObjectState');
  else read(stored, request, response);
}

function restoreRefusal({ storageClass, restore }: Stored): [number, string] | null {
  if (!ARCHIVES.includes(storageClass)) return [403, 'InvalidObjectState'];
  return restore === 'ongoing' ? [409, 'RestoreAlreadyInProgress'] : null;
}

const isReadable = ({ storageClass, restore }: Stored): boolean =>
  !ARCHIVES.includes(storageClass) || restore === 'done';

const etagOf = (bytes: Buffer): string => `"${createHash('md5').update(bytes).digest('hex')}"`;

function put(
  objects: Map<string, Stored>,
  path: string,
  { headers }: IncomingMessage,
  body: Buffer,
  response: ServerResponse,
): void {
  const source = headers['x-amz-copy-source'];
  const name = source === undefined ? '' : `/${decodeURIComponent(String(source)).replace(/^\//, '')}`;
  const from = source === undefined ? undefined : objects.get(name);
  const refusal = putRefusal(
    headers['if-none-match'] === '*' && objects.has(path),
    source !== undefined,
    from,
  );
  if (refusal !== null) {
    refuse(response, ...refusal);
    return;
  }
  const own = Object.entries(headers).filter(([name]) => name.startsWith('x-amz-meta-'));
  const bytes = from?.bytes ?? body;
  objects.set(path, {
    bytes,
    storageClass: String(headers['x-amz-storage-class'] ?? 'STANDARD'),
    metadata: from?.metadata ?? Object.fromEntries(own.map(([name, value]) => [name, String(value)])),
    modified: new Date(),
  });
  const etag = etagOf(bytes);
  response.writeHead(200, { etag });
  response.end(
    from === undefined
      ? ''
      : `<CopyObjectResult><ETag>${etag}</ETag><LastModified>${new Date().toISOString()}</LastModified></CopyObjectResult>`,
  );
}

function putRefusal(isTaken: boolean, isCopy: boolean, from: Stored | undefined): [number, string] | null {
  if (isTaken) return [412, 'PreconditionFailed'];
  if (isCopy && from === undefined) return [404, 'NoSuchKey'];
  return from !== undefined && !isReadable(from) ? [403, 'InvalidObjectState'] : null;
}

function read(stored: Stored, { method, headers }: IncomingMessage, response: ServerResponse): void {
  const [, first = '0', last = ''] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '') ?? [];
  const part = stored.bytes.subarray(Number(first), last === '' ? undefined : Number(last) + 1);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(stored.bytes));
  const isWhole = headers.range === undefined;
  const whole = { 'x-amz-checksum-crc32': sum.toString('base64'), 'x-amz-checksum-type': 'FULL_OBJECT' };
  response.writeHead(isWhole ? 200 : 206, {
    etag: etagOf(stored.bytes),
    'content-length': part.length,
    'last-modified': stored.modified.toUTCString(),
    ...stored.metadata,
    ...(isWhole ? whole : {}),
    ...(stored.storageClass === 'STANDARD' ? {} : { 'x-amz-storage-class': stored.storageClass }),
    ...(stored.restore === 'ongoing' ? { 'x-amz-restore': 'ongoing-request="true"' } : {}),
    ...(stored.restore === 'done'
      ? { 'x-amz-restore': 'ongoing-request="false", expiry-date="Fri, 21 Dec 2035 00:00:00 GMT"' }
      : {}),
  });
  response.end(method === 'HEAD' ? undefined : part);
}

function list(objects: Map<string, Stored>, url: URL, bucket: string, response: ServerResponse): void {
  const root = `${bucket.replace(/\/$/, '')}/`;
  const keys = [...objects.keys()].filter((path) =>
    path.startsWith(root + (url.searchParams.get('prefix') ?? '')),
  );
  const items = keys.sort().map((path) => {
    const { bytes, modified } = objects.get(path)!;
    return `<Contents><Key>${encodeURIComponent(path.slice(root.length))}</Key><Size>${bytes.length}</Size><ETag>${etagOf(bytes)}</ETag><LastModified>${modified.toISOString()}</LastModified></Contents>`;
  });
  response.writeHead(200, { 'content-type': 'application/xml' });
  response.end(
    `<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>${items.join('')}</ListBucketResult>`,
  );
}

function refuse(response: ServerResponse, status: number, code: string, method?: string): void {
  response.writeHead(status, { 'content-type': 'application/xml' });
  response.end(
    method === 'HEAD'
      ? undefined
      : `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`,
  );
}
