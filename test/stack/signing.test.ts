import { createHash } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseS3 } from '../../src/storage/s3-location.ts';
import { canHaveServers, type S3Server, startS3Server } from './s3-server.ts';
import { COLD, HOT, openVendingLake, type VendingLake } from './vending-lake.ts';

const SIGN = '/v1/namespaces/n/tables/own/sign';
const SECRET = 'the secret of another table';

interface Sent {
  readonly method: string;
  readonly uri: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

interface Received {
  readonly status: number;
  readonly body: string;
}

/** Sends a request exactly as it stands: nothing of its path is made shorter. */
function sendRaw({ method, uri, headers = {}, body }: Sent): Promise<Received> {
  const [, host = '', port = '80', path = '/'] = /^http:\/\/([^/:]+)(?::(\d+))?(\/.*)?$/s.exec(uri) ?? [];
  return new Promise((resolve) => {
    const sent = httpRequest(
      { host, port, path, method, headers, setHost: headers['host'] === undefined },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('end', () =>
          resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString() }),
        );
        answer.on('error', () => resolve({ status: 0, body: '' }));
      },
    );
    // A server may break off what it takes for nonsense.
    sent.on('error', () => resolve({ status: 0, body: '' }));
    sent.end(body);
  });
}

const SERVERS = [
  { name: 'versitygw', sts: false },
  { name: 'minio', sts: true },
] as const;

for (const { name, sts } of SERVERS) {
  describe.skipIf(!canHaveServers())(`signed requests to ${name}${sts ? ' with STS' : ''}`, () => {
    let server: S3Server;
    let lake: VendingLake;
    let own: string;
    let other: string;
    beforeAll(async () => {
      server = await startS3Server(name);
      lake = await openVendingLake(server, sts ? { sts: {} } : {});
      own = await lake.create('own', `${HOT}/n/own`);
      other = await lake.create('other', `${HOT}/n/own2`);
      for (const folder of [other, `${HOT}/n`, COLD]) {
        await lake.objects.put(`${folder}/data/secret`, new TextEncoder().encode(SECRET));
      }
      await lake.objects.put(`${own}/data/mine`, new TextEncoder().encode('mine'));
    });
    afterAll(async () => {
      await lake?.close();
      await server?.close();
    });

    const at = (location: string, query = ''): string => {
      const { bucket, key } = parseS3(location);
      const path = [bucket, ...key.split('/')].map(encodeURIComponent).join('/');
      return `${server.settings.endpoint}/${path}${query}`;
    };
    const bucketAt = (query: string): string => `${server.settings.endpoint}/lake${query}`;
    const sign = ({ method, uri, headers = {}, body }: Sent, table = SIGN) =>
      lake.send('POST', table, {
        method,
        uri,
        region: 'us-east-1',
        headers: Object.fromEntries(Object.entries(headers).map(([key, value]) => [key, [value]])),
        ...(body === undefined ? {} : { body }),
      });
    const joined = (headers: Record<string, string[]>) =>
      Object.fromEntries(Object.entries(headers).map(([key, values]) => [key, values.join(',')]));
    /** Has a request signed and sends it. */
    async function signedSend(wanted: Sent): Promise<Received> {
      const answer = await sign(wanted);
      if (answer.status !== 200) return { status: -answer.status, body: answer.body.error.message };
      const { uri, headers } = answer.body;
      return sendRaw({ ...wanted, uri, headers: { ...wanted.headers, ...joined(headers) } });
    }

    it('do all that a writer does with its own objects', async () => {
      for (const place of ['data/plain', "data/a b+c%2F=é日本(1)'!*~/x.parquet", 'x?y#z']) {
        const uri = at(`${own}/${place}`);
        const put = {
          method: 'PUT',
          uri,
          body: `content of ${place}`,
          headers: { 'content-type': 'text/plain' },
        };
        expect((await signedSend(put)).status, place).toBe(200);
        expect(await signedSend({ method: 'GET', uri })).toEqual({
          status: 200,
          body: `content of ${place}`,
        });
        const range = { method: 'GET', uri, headers: { range: 'bytes=0-6' } };
        expect((await signedSend(range)).body).toBe('content');
        expect((await signedSend({ method: 'HEAD', uri })).status).toBe(200);
        const source = { 'x-amz-copy-source': new URL(uri).pathname };
        if (!/[?#%]/.test(place)) {
          const copy = { method: 'PUT', uri: at(`${own}/copies/${place}`), headers: source };
          expect((await signedSend(copy)).status, place).toBe(200);
        }
        expect((await signedSend({ method: 'DELETE', uri })).status).toBe(204);
        expect((await signedSend({ method: 'GET', uri })).status).toBe(404);
      }
      const prefix = encodeURIComponent(`${parseS3(own).key}/`);
      const listed = await signedSend({
        method: 'GET',
        uri: bucketAt(`?list-type=2&prefix=${prefix}&max-keys=10`),
      });
      expect(listed.status).toBe(200);
      expect(listed.body).toContain('data/mine');
      expect(listed.body).not.toContain('secret');
      const uri = at(`${own}/data/parts`);
      const begun = await signedSend({ method: 'POST', uri: `${uri}?uploads` });
      const id = /<UploadId>(.*)<\/UploadId>/.exec(begun.body)?.[1] ?? '';
      const upload = `uploadId=${encodeURIComponent(id)}`;
      expect(
        (await signedSend({ method: 'PUT', uri: `${uri}?partNumber=1&${upload}`, body: 'part' })).status,
      ).toBe(200);
      expect((await signedSend({ method: 'GET', uri: `${uri}?${upload}` })).status).toBe(200);
      expect((await signedSend({ method: 'DELETE', uri: `${uri}?${upload}` })).status).toBe(204);
      const many = deleteMany([`${parseS3(own).key}/copies/data/plain`, `${parseS3(own).key}/a&b<c>`]);
      const gone = await signedSend(many);
      expect(gone.status).toBe(200);
      expect(gone.body).not.toContain('<Error>');
      expect(await lake.objects.exists(`${own}/copies/data/plain`)).toBe(false);
    });

    const deleteMany = (keys: readonly string[]): Sent => {
      const escaped = keys.map((key) =>
        key.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;'),
      );
      const body = `<?xml version="1.0" encoding="UTF-8"?><Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${escaped.map((key) => `<Object><Key>${key}</Key></Object>`).join('')}</Delete>`;
      const headers = {
        'content-md5': createHash('md5').update(body).digest('base64'),
        'content-type': 'application/xml',
      };
      return { method: 'POST', uri: bucketAt('?delete'), body, headers };
    };

    it('are refused for what is not its own, or more than objects', async () => {
      const key = parseS3(own).key;
      const prefix = encodeURIComponent(key);
      const foreign: Sent[] = [
        { method: 'GET', uri: at(`${other}/data/secret`) },
        { method: 'PUT', uri: at(`${other}/data/secret`) },
        { method: 'DELETE', uri: at(`${HOT}/n/data/secret`) },
        { method: 'GET', uri: at(own) },
        { method: 'GET', uri: `${at(own)}/` },
        { method: 'GET', uri: `${at(own)}/../own2/data/secret` },
        { method: 'GET', uri: `${at(own)}/%2e%2e/own2/data/secret` },
        { method: 'GET', uri: `${at(own)}/..%2fown2/data/secret` },
        { method: 'GET', uri: `${at(own)}//data/mine` },
        { method: 'GET', uri: at(`${own}/data/mine`).replace('127.0.0.1', 'localhost') },
        { method: 'GET', uri: at(`${own}/data/mine`).replace('http:', 'https:') },
        { method: 'GET', uri: at(`${own}/data/mine`).replace('http://', 'http://user@') },
        { method: 'GET', uri: at(`${own}/data/mine`).replace('http://', 'http://lake.') },
        { method: 'GET', uri: bucketAt('') },
        { method: 'GET', uri: bucketAt('?list-type=2') },
        { method: 'GET', uri: bucketAt('?list-type=2&prefix=') },
        { method: 'GET', uri: bucketAt(`?list-type=2&prefix=${prefix}`) },
        { method: 'GET', uri: bucketAt(`?list-type=2&prefix=${prefix}%2F&prefix=`) },
        { method: 'GET', uri: bucketAt(`?list-type=2&prefix=${prefix}%2F..%2F`) },
        { method: 'GET', uri: bucketAt(`?versions&prefix=${prefix}%2F`) },
        { method: 'GET', uri: bucketAt(`?uploads&prefix=${prefix}%2F`) },
        ...['policy', 'acl', 'versioning', 'location', 'lifecycle', 'cors', 'tagging'].flatMap((one) => [
          { method: 'GET', uri: bucketAt(`?${one}`) },
          { method: 'PUT', uri: bucketAt(`?${one}`) },
          { method: 'GET', uri: at(`${own}/data/mine`, `?${one}`) },
          { method: 'PUT', uri: at(`${own}/data/mine`, `?${one}`) },
        ]),
        { method: 'PUT', uri: bucketAt('') },
        { method: 'DELETE', uri: bucketAt('') },
        { method: 'HEAD', uri: bucketAt('') },
        { method: 'GET', uri: `${server.settings.endpoint}/` },
        { method: 'OPTIONS', uri: at(`${own}/data/mine`) },
        { method: 'POST', uri: at(`${own}/data/mine`, '?restore') },
        { method: 'POST', uri: at(`${own}/data/mine`, '?select&select-type=2') },
        { method: 'PUT', uri: at(`${own}/data/x`), headers: { 'x-amz-acl': 'public-read' } },
        {
          method: 'PUT',
          uri: at(`${own}/data/x`),
          headers: { 'x-amz-copy-source': new URL(at(`${other}/data/secret`)).pathname },
        },
        {
          method: 'PUT',
          uri: at(`${own}/data/x`),
          headers: { 'x-amz-copy-source': `${new URL(at(own)).pathname}/../own2/data/secret` },
        },
        {
          method: 'GET',
          uri: at(`${own}/data/mine`),
          headers: { 'x-amz-copy-source': `/lake/${key}/data/mine` },
        },
        {
          method: 'PUT',
          uri: at(`${own}/data/x`),
          headers: { 'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD' },
        },
        deleteMany([`${key}/data/mine`, `${parseS3(other).key}/data/secret`]),
        { ...deleteMany([`${key}/data/mine`]), body: '' },
        { method: 'POST', uri: bucketAt('?delete') },
        ...[
          `<Delete><!-- x --><Object><Key>${key}/data/mine</Key></Object></Delete>`,
          `<!DOCTYPE d [<!ENTITY e "x">]><Delete><Object><Key>${key}/&e;</Key></Object></Delete>`,
          `<Delete><Object><Key><![CDATA[${key}/data/mine]]></Key></Object></Delete>`,
          `<Delete><Object><Key>${key}/data/mine</Key><Key>x</Key></Object></Delete>`,
          `<Delete><Object><Key>${key}/data/mine</Key><VersionId>1</VersionId></Object></Delete>`,
        ].map((body) => ({ method: 'POST', uri: bucketAt('?delete'), body })),
      ];
      for (const one of foreign) {
        const { status } = await sign(one);
        expect([400, 403], JSON.stringify(one)).toContain(status);
      }
      expect((await sign({ method: 'GET', uri: at(`${own}/data/mine`) })).headers['cache-control']).toBe(
        'private',
      );
      expect((await sign({ method: 'PUT', uri: at(`${own}/data/mine`) })).headers['cache-control']).toBe(
        'no-cache',
      );
    });

    it('cannot be turned into a copy of another object by a header that was not signed', async () => {
      const uri = at(`${own}/data/stolen`);
      const hashes = [{}, { 'x-amz-content-sha256': createHash('sha256').update('').digest('hex') }];
      for (const source of [
        new URL(at(`${other}/data/secret`)).pathname,
        `lake/${parseS3(other).key}/data/secret`,
      ]) {
        for (const headers of hashes) {
          const answer = await sign({ method: 'PUT', uri, headers });
          const sent = { ...headers, ...joined(answer.body.headers), 'x-amz-copy-source': source };
          await sendRaw({ method: 'PUT', uri: answer.body.uri, headers: sent });
          const read = await signedSend({ method: 'GET', uri });
          expect(read.body).not.toContain(SECRET);
        }
      }
    });

    it('touch nothing but its own objects, whatever is asked for, and however it is then sent', async () => {
      const key = parseS3(own).key;
      const step = fc.constantFrom(
        ...[
          'data',
          'mine',
          'secret',
          'own',
          'own2',
          '..',
          '.',
          '',
          '%2e%2e',
          '%2E.',
          '..%2fown2',
          '%252e%252e',
          '%5c..',
          '%00',
          'é',
          '%C3%A9',
        ],
        ...['lake', 'archive', 'ware%20house', 'hot', 'n', '+', '%2B', '*', ';', '%3F', '%23', '//'],
      );
      const path = fc.oneof(
        fc.array(step, { maxLength: 5 }).map((steps) => `${new URL(at(own)).pathname}/${steps.join('/')}`),
        fc.array(step, { maxLength: 7 }).map((steps) => `/${steps.join('/')}`),
        fc.constantFrom(
          new URL(at(`${other}/data/secret`)).pathname,
          new URL(at(`${own}/data/mine`)).pathname,
          '/lake',
          '/lake/',
        ),
      );
      const query = fc.constantFrom(
        ...[
          '',
          '',
          '',
          '?x-id=GetObject',
          '?acl',
          '?policy',
          '?uploads',
          '?delete',
          '?list-type=2',
          '?versionId=null',
          '?partNumber=1',
        ],
        `?list-type=2&prefix=${encodeURIComponent(`${key}/`)}`,
        `?prefix=${encodeURIComponent(key)}`,
        `?prefix=${encodeURIComponent(`${key}/`)}&prefix=`,
        `?prefix=${encodeURIComponent(`${key}/`)}&delimiter=/&marker=`,
        '?prefix=%2F..%2F',
        '?Prefix=x&list-type=2',
      );
      const source = [
        new URL(at(`${other}/data/secret`)).pathname,
        `${new URL(at(own)).pathname}/..%2fown2/data/secret`,
        `${new URL(at(own)).pathname}/data/mine`,
        `lake/${parseS3(other).key}/data/secret`,
      ];
      const header = fc.constantFrom<Record<string, string>>(
        ...[{}, {}, {}, { 'x-amz-acl': 'public-read' }, { range: 'bytes=0-3' }, { 'x-amz-meta-a': 'b' }],
        ...source.map((one) => ({ 'x-amz-copy-source': one })),
        { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' },
        { 'X-HTTP-Method-Override': 'DELETE' },
      );
      const shot = fc.record({
        method: fc.constantFrom('GET', 'GET', 'HEAD', 'PUT', 'POST', 'DELETE'),
        path,
        query,
        headers: header,
        body: fc.constantFrom(
          undefined,
          'written',
          deleteMany([`${parseS3(other).key}/data/secret`]).body,
          deleteMany([`${key}/data/mine`]).body,
        ),
        // What a client adds, or changes, after it got the signature.
        resent: fc.constantFrom('as signed', 'as asked', 'as asked'),
        added: fc.oneof({ weight: 3, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: header }),
      });
      const before = await guarded();
      let signed = 0;
      await fc.assert(
        fc.asyncProperty(
          shot,
          async ({ method, path: asked, query: parameters, headers, body, resent, added }) => {
            const uri = `${server.settings.endpoint}${asked}${parameters}`;
            const answer = await sign({ method, uri, headers, ...(body === undefined ? {} : { body }) });
            expect([200, 400, 403]).toContain(answer.status);
            if (answer.status !== 200) return;
            signed++;
            const sent = await sendRaw({
              method,
              uri: resent === 'as signed' ? answer.body.uri : uri,
              headers: { ...headers, ...joined(answer.body.headers), ...added },
              ...(body === undefined ? {} : { body }),
            });
            expect(sent.body).not.toContain(SECRET);
            if (sent.body.includes('<ListBucketResult')) expect(sent.body).not.toContain('hot/n/own2');
          },
        ),
        // A fixed seed: what is counted below must not hang on luck.
        { numRuns: 1500, seed: 20261121 },
      );
      expect(signed).toBeGreaterThan(30);
      expect(await guarded()).toEqual(before);
      for await (const page of lake.objects.list(`${own}/`)) {
        for (const { location } of page) {
          expect(Buffer.from(await lake.objects.get(location)).toString()).not.toContain(SECRET);
        }
      }
    });

    /** Every object that is not the table's, with its content's mark. */
    async function guarded(): Promise<string[]> {
      const found: string[] = [];
      for (const bucket of ['s3://lake/', 's3://archive/']) {
        for await (const page of lake.objects.list(bucket)) {
          found.push(
            ...page
              .filter(({ location }) => !location.startsWith(`${own}/`))
              .map((one) => `${one.location} ${one.etag}`),
          );
        }
      }
      return found;
    }
  });
}

describe.skipIf(!canHaveServers())('minio without STS', () => {
  it('is signed nothing for, as it takes headers that were not signed', async () => {
    const server = await startS3Server('minio');
    const lake = await openVendingLake(server, {});
    try {
      const uri = `${server.settings.endpoint}/lake/ware%20house/hot/n/own/x`;
      const wanted = { method: 'PUT', uri, region: 'us-east-1', headers: {} };
      const own = await lake.create('given', `${HOT}/n/own`);
      expect(own).toBe(`${HOT}/n/own`);
      const refused = await lake.send('POST', '/v1/namespaces/n/tables/given/sign', wanted);
      expect([refused.status, refused.body.error.hint]).toEqual([400, expect.stringContaining('sts')]);
      const asked = { 'x-iceberg-access-delegation': 'remote-signing' };
      expect((await lake.send('GET', '/v1/namespaces/n/tables/given', undefined, asked)).status).toBe(400);
      expect((await lake.send('GET', '/v1/namespaces/n/tables/given')).status).toBe(200);
    } finally {
      await lake.close();
      await server.close();
    }
  });
});
