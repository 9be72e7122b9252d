import { afterAll, beforeAll, describe } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { S3Store } from '../../src/storage/s3.ts';
import type { S3ServerName } from '../../stack/s3-binaries.ts';
import { objectStoreContract } from '../contract/object-store.ts';
import { canHaveServers, type S3Server, startS3Server } from './s3-server.ts';

const there = await canHaveServers();
if (!there) console.warn('The S3 tests are skipped: no Go to build the servers with.');

for (const name of ['versitygw', 'minio'] satisfies S3ServerName[]) {
  describe.skipIf(!there)(`S3 store on ${name}`, () => {
    let server: S3Server;
    let tests = 0;
    beforeAll(async () => {
      server = await startS3Server(name);
      await server.makeBucket('lake');
    });
    afterAll(() => server?.close());

    objectStoreContract(name, async () => {
      const store = new S3Store({ settings: server.settings, clock: systemClock });
      return { store, root: `s3://lake/test ${++tests}/`, dispose: async () => store.close() };
    });
  });
}
