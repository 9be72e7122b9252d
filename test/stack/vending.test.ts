import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_LIMITS, s3Client } from '../../src/storage/s3-client.ts';
import { parseS3 } from '../../src/storage/s3-location.ts';
import { canHaveServers, type S3Server, startS3Server } from './s3-server.ts';
import { COLD, HOT, openVendingLake, type VendingLake } from './vending-lake.ts';

const DELEGATION = { 'x-iceberg-access-delegation': 'vended-credentials,remote-signing' };
/** What names have in them that some policy, shell, URL or form takes for something else. */
const CHARACTERS = [
  ...' !"$%&\'()+,-.:;<=>@[]^_`{|}~',
  'é',
  'ß',
  '日本',
  '😀',
  '%41',
  '${',
  '$1',
  '&amp;',
  "';--",
];

type Config = Readonly<Record<string, string>>;

describe.skipIf(!canHaveServers())('vended credentials of MinIO', () => {
  let server: S3Server;
  let lake: VendingLake;
  beforeAll(async () => {
    server = await startS3Server('minio');
    lake = await openVendingLake(server, { sts: {} });
  });
  afterAll(async () => {
    await lake?.close();
    await server?.close();
  });

  function clientOf(config: Config): S3Client {
    return s3Client(
      {
        endpoint: config['s3.endpoint'] ?? '',
        region: config['client.region'] ?? '',
        pathStyle: config['s3.path-style-access'] === 'true',
        accessKeyId: config['s3.access-key-id'] ?? '',
        secretAccessKey: config['s3.secret-access-key'] ?? '',
        sessionToken: config['s3.session-token'] ?? '',
      },
      { ...DEFAULT_LIMITS, attempts: 1 },
    );
  }

  /** The status of every kind of request to an object, and of a listing of its folder. */
  async function attempts(client: S3Client, folder: string): Promise<number[]> {
    const { bucket: Bucket, key } = parseS3(folder);
    const Key = `${key}/data/day=2001-01-01/a b+c%2F.parquet`;
    const object = { Bucket, Key };
    const status = (send: Promise<unknown>) =>
      send.then(
        () => 200,
        (error) => Number(error?.$metadata?.httpStatusCode),
      );
    return [
      await status(client.send(new PutObjectCommand({ ...object, Body: 'x' }))),
      await status(client.send(new GetObjectCommand(object))),
      await status(client.send(new ListObjectsV2Command({ Bucket, Prefix: `${key}/` }))),
      await status(multipart(client, object)),
      await status(client.send(new DeleteObjectCommand(object))),
      await status(deleteMany(client, object)),
    ];
  }

  async function deleteMany(
    client: S3Client,
    { Bucket, Key }: { Bucket: string; Key: string },
  ): Promise<void> {
    const { Errors = [] } = await client.send(
      new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key }] } }),
    );
    if (Errors.length > 0) throw Object.assign(new Error('refused'), { $metadata: { httpStatusCode: 403 } });
  }

  async function multipart(client: S3Client, object: { Bucket: string; Key: string }): Promise<void> {
    const { UploadId } = await client.send(new CreateMultipartUploadCommand(object));
    const part = { ...object, UploadId, PartNumber: 1 };
    const { ETag } = await client.send(new UploadPartCommand({ ...part, Body: 'part' }));
    const parts = { Parts: [{ ETag, PartNumber: 1 }] };
    await client.send(new CompleteMultipartUploadCommand({ ...object, UploadId, MultipartUpload: parts }));
    const again = await client.send(new CreateMultipartUploadCommand(object));
    await client.send(new AbortMultipartUploadCommand({ ...object, UploadId: again.UploadId }));
  }

  const ALL = [200, 200, 200, 200, 200, 200];
  const NONE = [403, 403, 403, 403, 403, 403];
  const load = async (name: string, headers: Record<string, string> = DELEGATION) =>
    (await lake.send('GET', `/v1/namespaces/n/tables/${encodeURIComponent(name)}`, undefined, headers)).body;

  it('open the own objects of a table in all tiers, and nothing of another, by every name', async () => {
    const sibling = await lake.create('sibling');
    const client = s3Client(server.settings, DEFAULT_LIMITS);
    for (const folder of [sibling, `${COLD}/n/sibling`]) await attempts(client, folder);
    const names = [
      ...CHARACTERS.map((one) => `a${one}b`),
      '*',
      '?',
      'a*',
      'sib*',
      '#',
      '\\',
      'a/b',
      '...',
      '${aws:username}',
    ];
    for (const name of names) {
      const location = await lake.create(name);
      const { config, 'storage-credentials': credentials } = await load(name);
      expect(credentials.map(({ prefix }: { prefix: string }) => prefix)).toEqual([
        location,
        location.replace(HOT, COLD),
      ]);
      const own = clientOf(config);
      expect(await attempts(own, location), name).toEqual(ALL);
      expect(await attempts(own, location.replace(HOT, COLD)), name).toEqual(ALL);
      expect(await attempts(own, sibling), name).toEqual(NONE);
      expect(await attempts(own, sibling.replace(HOT, COLD)), name).toEqual(NONE);
      own.destroy();
    }
    client.destroy();
  });

  it('open folders that were given special names, and none that are named alike', async () => {
    for (const [at, character] of CHARACTERS.entries()) {
      if (character === '${') continue;
      const location = await lake.create(`given ${at}`, `${HOT}/given/${at}/x${character}y`);
      const own = clientOf((await load(`given ${at}`)).config);
      expect(await attempts(own, location), character).toEqual(ALL);
      for (const other of ['y', 'x', `x${character}yz`, `${character}xy`, `x${character}y/../z`]) {
        const answers = await attempts(own, `${HOT}/given/${at}/${other}`);
        expect(
          answers.filter((status) => status < 400),
          `${character} ${other}`,
        ).toEqual([]);
      }
      own.destroy();
    }
  });

  it('neither list above a folder or beside it, nor copy from elsewhere, nor see buckets', async () => {
    const location = await lake.create('narrow', `${HOT}/narrow/t`);
    await lake.objects.put(`${HOT}/narrow/t2/secret`, new TextEncoder().encode('secret'));
    const own = clientOf((await load('narrow')).config);
    const { bucket: Bucket, key } = parseS3(location);
    const { key: secret } = parseS3(`${HOT}/narrow/t2/secret`);
    const listing = (Prefix: string | undefined) =>
      own.send(new ListObjectsV2Command({ Bucket, ...(Prefix === undefined ? {} : { Prefix }) }));
    for (const prefix of [undefined, '', key, key.slice(0, -1), `${key}2/`, `${key}/../t2/`]) {
      await expect(listing(prefix), String(prefix)).rejects.toMatchObject({ name: expect.any(String) });
    }
    expect((await listing(`${key}/`)).Contents).toHaveLength(1);
    const copy = {
      Bucket,
      Key: `${key}/stolen`,
      CopySource: `${Bucket}/${secret.split('/').map(encodeURIComponent).join('/')}`,
    };
    await expect(own.send(new CopyObjectCommand(copy))).rejects.toMatchObject({ name: 'AccessDenied' });
    await expect(own.send(new GetObjectCommand({ Bucket, Key: secret }))).rejects.toMatchObject({
      name: 'AccessDenied',
    });
    const { Buckets = [] } = await own.send(new ListBucketsCommand()).catch(() => ({ Buckets: [] }));
    expect(Buckets).toEqual([]);
    own.destroy();
  });

  it('that only read write nothing', async () => {
    const location = await lake.create('read only');
    const { metadata } = await load('read only', {});
    const access = await lake.vending.accessTo(
      { table: { namespace: ['n'], name: 'read only' }, metadata },
      'read',
      'credentials',
    );
    const root = s3Client(server.settings, DEFAULT_LIMITS);
    const { bucket: Bucket, key } = parseS3(location);
    const Key = `${key}/data/day=2001-01-01/a b+c%2F.parquet`;
    await root.send(new PutObjectCommand({ Bucket, Key, Body: 'x' }));
    const reader = clientOf(access?.config ?? {});
    expect(await attempts(reader, location)).toEqual([403, 200, 200, 403, 403, 403]);
    root.destroy();
    reader.destroy();
  });

  it('are given on create, stage and load to who asks, kept for a while, and never cached on the way', async () => {
    const wanted = { schema: { type: 'struct', 'schema-id': 0, fields: [] } };
    const post = (body: object) =>
      lake.send('POST', '/v1/namespaces/n/tables', { ...wanted, ...body }, DELEGATION);
    const created = await post({ name: 'asked' });
    expect(created.body.config['s3.session-token']).toBeTruthy();
    expect(created.headers['cache-control']).toBe('no-store');
    const staged = await post({ name: 'staged', 'stage-create': true });
    const own = clientOf(staged.body.config);
    expect(await attempts(own, staged.body.metadata.location)).toEqual(ALL);
    own.destroy();
    const path = '/v1/namespaces/n/tables/asked';
    const loaded = await lake.send('GET', path, undefined, DELEGATION);
    expect(loaded.body.config['s3.access-key-id']).toBe(created.body.config['s3.access-key-id']);
    const etag = { 'if-none-match': loaded.headers['etag'] };
    expect((await lake.send('GET', path, undefined, etag)).status).toBe(304);
    expect((await lake.send('GET', path, undefined, { ...DELEGATION, ...etag })).status).toBe(200);
    const again = await lake.send('GET', `${path}/credentials`);
    expect(again.body['storage-credentials']).toEqual(loaded.body['storage-credentials']);
    expect((await lake.send('GET', path)).body.config).toEqual({});
    const text = JSON.stringify([created.body, loaded.body, again.body]);
    expect(text).not.toContain(server.settings.secretAccessKey);
    const { endpoints } = (await lake.send('GET', '/v1/config')).body;
    expect(endpoints).toContain('GET /v1/{prefix}/namespaces/{namespace}/tables/{table}/credentials');
    expect(endpoints).toContain('POST /v1/{prefix}/namespaces/{namespace}/tables/{table}/sign');
  });
});
