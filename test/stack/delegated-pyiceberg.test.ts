import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { S3ServerName } from '../../stack/s3-binaries.ts';
import { findPython } from '../interop/find-python.ts';
import { canHaveServers, type S3Server, startS3Server } from './s3-server.ts';
import { openVendingLake, type VendingLake } from './vending-lake.ts';

const python = findPython('pyiceberg, pyarrow, s3fs') ?? '';
const SCRIPT = join(import.meta.dirname, 'delegated.py');
const ARROW = 'pyiceberg.io.pyarrow.PyArrowFileIO';
const FSSPEC = 'pyiceberg.io.fsspec.FsspecFileIO';

const CASES = [
  { name: 'minio', sts: true, delegation: 'vended-credentials', fileIo: ARROW },
  { name: 'minio', sts: true, delegation: 'vended-credentials', fileIo: FSSPEC },
  { name: 'minio', sts: true, delegation: 'remote-signing', fileIo: FSSPEC },
  { name: 'versitygw', sts: false, delegation: 'remote-signing', fileIo: FSSPEC },
] satisfies readonly { name: S3ServerName; sts: boolean; delegation: string; fileIo: string }[];

const there = canHaveServers() && python !== '';
if (!there) console.warn('skipped: no Python with pyiceberg and s3fs (LAKE_PYTHON), or no S3 servers');

for (const server of ['minio', 'versitygw'] as const) {
  describe.skipIf(!there)(`PyIceberg without keys, on ${server}`, () => {
    let s3: S3Server;
    let lake: VendingLake;
    let uri: string;
    beforeAll(async () => {
      s3 = await startS3Server(server);
      lake = await openVendingLake(s3, server === 'minio' ? { sts: {} } : {});
      uri = await lake.app.listen({ host: '127.0.0.1', port: 0 });
    });
    afterAll(async () => {
      await lake?.close();
      await s3?.close();
    });

    for (const { delegation, fileIo } of CASES.filter(({ name }) => name === server)) {
      it(`writes and reads by ${delegation} with ${fileIo}`, async () => {
        const env = { PATH: process.env['PATH'], HOME: '/nonexistent', AWS_EC2_METADATA_DISABLED: 'true' };
        const { stdout } = await promisify(execFile)(python, [SCRIPT, uri, delegation, fileIo], { env });
        expect(stdout.trim().split('\n').at(-1)).toBe('4');
      });
    }
  });
}
