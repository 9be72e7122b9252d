import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { S3Store, type S3StoreOptions } from '../../src/storage/s3.ts';
import { copyVerified } from '../../src/tiering/verified-copy.ts';
import type { S3ServerName } from '../../stack/s3-binaries.ts';
import { type FaultyProxy, first, startFaultyProxy } from './faulty-proxy.ts';
import { canHaveServers, type S3Server, startS3Server } from './s3-server.ts';

const MIB = 1024 * 1024;
const bytes = (text: string) => new TextEncoder().encode(text);
const isPut = (request: IncomingMessage) => request.method === 'PUT';
const isGet = (request: IncomingMessage) => request.method === 'GET';

for (const name of ['versitygw', 'minio'] satisfies S3ServerName[]) {
  describe.skipIf(!canHaveServers())(`S3 store on a disturbed ${name}`, () => {
    let server: S3Server;
    let proxy: FaultyProxy;
    let root: string;
    let tests = 0;
    const opened: S3Store[] = [];
    const open = (options: Partial<S3StoreOptions> = {}): S3Store => {
      const settings = { ...server.settings, endpoint: proxy.endpoint, ...options.settings };
      const store = new S3Store({ clock: systemClock, ...options, settings });
      opened.push(store);
      return store;
    };
    beforeAll(async () => {
      server = await startS3Server(name);
      await server.makeBucket('lake');
      proxy = await startFaultyProxy(server.settings.endpoint);
    });
    beforeEach(() => {
      root = `s3://lake/faults ${++tests}/`;
      proxy.fault = () => null;
      proxy.seen.length = 0;
    });
    afterAll(async () => {
      for (const store of opened) store.close();
      await proxy?.close();
      await server?.close();
    });

    it.each(['slow-down', 'reset'] as const)('rides over %s in every kind of request', async (fault) => {
      const store = open();
      const again = () => {
        proxy.fault = first(2, fault);
      };
      again();
      await store.put(`${root}a`, bytes('abc'), { if: 'absent' });
      again();
      expect(await store.get(`${root}a`)).toEqual(Buffer.from('abc'));
      again();
      await store.copy(`${root}a`, `${root}b`);
      again();
      const found = [];
      for await (const page of store.list(root)) found.push(...page);
      expect(found).toHaveLength(2);
      again();
      await store.delete([`${root}a`, `${root}b`]);
      expect(await store.exists(`${root}a`)).toBe(false);
    });

    it('says so when the server stays too busy or away', async () => {
      const store = open({ limits: { attempts: 2 } });
      proxy.fault = () => 'slow-down';
      await expect(store.get(`${root}a`)).rejects.toMatchObject({
        kind: 'unavailable',
        message: expect.stringContaining('SlowDown'),
      });
      proxy.fault = () => 'reset';
      await expect(store.put(`${root}a`, bytes('x'))).rejects.toMatchObject({
        kind: 'unavailable',
        hint: expect.stringContaining('endpoint'),
      });
    });

    it('tries again when no answer comes in time', async () => {
      const store = open({ limits: { silenceMs: 300 } });
      proxy.fault = first(1, 'hang');
      await store.put(`${root}a`, bytes('abc'));
      proxy.fault = first(1, 'hang');
      expect((await store.get(`${root}a`)).length).toBe(3);
    });

    it('goes on where a body broke off, and never mixes two objects', async () => {
      const store = open();
      const content = randomBytes(3 * MIB);
      await store.put(`${root}a`, content);
      proxy.fault = first(3, 'cut-body', isGet);
      expect(isSame(await store.get(`${root}a`), content)).toBe(true);
      proxy.fault = first(2, 'cut-body', isGet);
      expect(
        isSame(await store.get(`${root}a`, { start: 10, end: 2 * MIB }), content.subarray(10, 2 * MIB)),
      ).toBe(true);

      proxy.fault = first(1, 'cut-body', isGet);
      const chunks = store.stream(`${root}a`)[Symbol.asyncIterator]();
      await chunks.next();
      await store.put(`${root}a`, randomBytes(3 * MIB));
      const rest = async () => {
        while (!(await chunks.next()).done);
      };
      await expect(rest()).rejects.toMatchObject({ kind: 'conflict' });
    });

    it('knows its own conditional put again when the answer was lost, and no other', async () => {
      const store = open();
      proxy.fault = first(1, 'lose-answer', isPut);
      const made = await store.put(`${root}a`, bytes('mine'), { if: 'absent' });
      proxy.fault = first(1, 'lose-answer', isPut);
      const next = await store.put(`${root}a`, bytes('next'), { if: { etag: made.etag } });
      expect((await store.head(`${root}a`)).etag).toBe(next.etag);
      // The same bytes by another writer are not ours: its claim stands.
      proxy.fault = first(1, 'slow-down', isPut);
      await expect(store.put(`${root}a`, bytes('next'), { if: 'absent' })).rejects.toMatchObject({
        kind: 'already-exists',
      });
      proxy.fault = first(1, 'lose-answer', isPut);
      await expect(store.put(`${root}a`, bytes('x'), { if: { etag: made.etag } })).rejects.toMatchObject({
        kind: 'conflict',
      });
      expect(await store.get(`${root}a`)).toEqual(Buffer.from('next'));
    });

    it('uploads in parts, in the face of faults, as the same bytes', async () => {
      const store = open({ partSize: 5 * MIB });
      const content = randomBytes(12 * MIB + 7);
      const isPart = (request: IncomingMessage) => isPut(request) && /partNumber=/.test(request.url ?? '');
      proxy.fault = first(3, 'slow-down', isPart);
      await store.upload(`${root}a`, slices(content));
      expect(isSame(await store.get(`${root}a`), content)).toBe(true);
      await expect(store.upload(`${root}a`, slices(content))).rejects.toMatchObject({
        kind: 'already-exists',
      });
      const isCompletion = (request: IncomingMessage) =>
        request.method === 'POST' && /uploadId=/.test(request.url ?? '');
      proxy.fault = first(1, 'lose-answer', isCompletion);
      expect((await store.upload(`${root}b`, slices(content))).size).toBe(content.length);
      expect(isSame(await store.get(`${root}b`), content)).toBe(true);
      await store.upload(`${root}small`, slices(content.subarray(0, 10)));
      await store.upload(`${root}empty`, slices(new Uint8Array()));
      expect((await store.head(`${root}empty`)).size).toBe(0);
    });

    it('copies large objects in parts and proves the copy', async () => {
      const store = open({ partSize: 5 * MIB, maxSingleCopy: 6 * MIB, copyPartSize: 5 * MIB });
      const content = randomBytes(12 * MIB + 7);
      await store.upload(`${root}a b%+ü`, slices(content));
      await copyVerified(store, `${root}a b%+ü`, `${root}copy of a b%+ü`);
      expect(proxy.seen.filter((line) => /^PUT .*partNumber=/.test(line)).length).toBeGreaterThanOrEqual(6);
      expect(isSame(await store.get(`${root}copy of a b%+ü`), content)).toBe(true);
    });

    it('gives up a torn upload, and finds later what a killed one left', async () => {
      const store = open({ partSize: 5 * MIB });
      const torn = async function* (): AsyncIterable<Uint8Array> {
        yield randomBytes(11 * MIB);
        throw new Error('the source is torn');
      };
      await expect(store.upload(`${root}a`, torn())).rejects.toThrow('torn');
      const later = systemClock.now() + 60_000;
      expect(await store.abortUploads(root, later)).toBe(0);
      expect(await store.exists(`${root}a`)).toBe(false);

      proxy.fault = (request) => (request.method === 'DELETE' ? 'reset' : null);
      await expect(
        open({ partSize: 5 * MIB, limits: { attempts: 1 } }).upload(`${root}b c`, torn()),
      ).rejects.toThrow();
      proxy.fault = () => null;
      expect(await store.abortUploads(root, systemClock.now() - 60_000)).toBe(0);
      expect(await store.abortUploads(`${root}other`, later)).toBe(0);
      expect(await store.abortUploads(root, later)).toBe(1);
      expect(await store.abortUploads(root, later)).toBe(0);
    });

    it('keeps a checksum over the whole object that spares reading a copy', async () => {
      const store = open();
      await store.put(`${root}a`, bytes('abc'));
      await copyVerified(store, `${root}a`, `${root}b`);
      expect(proxy.seen.filter((line) => line.startsWith('GET'))).toEqual([]);
      await store.put(`${root}c`, bytes('abd'));
      expect((await store.head(`${root}c`)).checksum).not.toBe((await store.head(`${root}b`)).checksum);
    });

    it('lists and deletes more than a page', async () => {
      const store = open();
      const names = Array.from({ length: 1203 }, (_, i) => `${root}n${String(i).padStart(5, '0')}`);
      for (let at = 0; at < names.length; at += 100) {
        await Promise.all(names.slice(at, at + 100).map((one) => store.put(one, bytes('x'))));
      }
      const pages: number[] = [];
      for await (const page of store.list(root)) pages.push(page.length);
      expect(pages).toEqual([1000, 203]);
      await store.delete(names);
      for await (const page of store.list(root)) expect(page).toEqual([]);
    });

    it('says what is wrong with credentials, buckets and storage classes', async () => {
      const { settings } = server;
      const wrong = open({ settings: { ...settings, secretAccessKey: 'not this one' } });
      const attempts = [
        () => wrong.get(`${root}a`),
        () => wrong.put(`${root}a`, bytes('x')),
        () => wrong.delete([`${root}a`]),
      ];
      for (const attempt of attempts) {
        await expect(attempt()).rejects.toMatchObject({
          kind: 'forbidden',
          hint: expect.stringContaining('access_key_id'),
        });
      }
      await expect(wrong.head(`${root}a`)).rejects.toMatchObject({ kind: 'forbidden' });
      const store = open();
      await expect(store.put('s3://nowhere/a', bytes('x'))).rejects.toMatchObject({
        kind: 'unavailable',
        hint: expect.stringContaining('bucket'),
      });
      await store.put(`${root}a`, bytes('x'));
      const cold = store.copy(`${root}a`, `${root}b`, { storageClass: 'GLACIER_IR' });
      if (name === 'minio') {
        await expect(cold).rejects.toMatchObject({
          kind: 'invalid-argument',
          hint: expect.stringContaining('storage_class'),
        });
        expect(await store.exists(`${root}b`)).toBe(false);
        await store.copy(`${root}a`, `${root}b`, { storageClass: 'REDUCED_REDUNDANCY' });
      } else await cold;
      expect(await store.get(`${root}b`)).toEqual(Buffer.from('x'));
    });
  });
}

const isSame = (one: Uint8Array, other: Uint8Array): boolean => Buffer.compare(one, other) === 0;

async function* slices(content: Uint8Array): AsyncIterable<Uint8Array> {
  for (let at = 0; at < content.length; at += 700_001) yield content.subarray(at, at + 700_001);
}
