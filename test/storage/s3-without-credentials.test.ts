import { expect, it, vi } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { S3Store } from '../../src/storage/s3.ts';

it('says what is missing where a server with an endpoint of its own is reached without credentials', async () => {
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_PROFILE'])
    vi.stubEnv(name, undefined);
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/nonexistent');
  vi.stubEnv('AWS_CONFIG_FILE', '/nonexistent');
  const store = new S3Store({ settings: { endpoint: 'http://127.0.0.1:9' }, clock: systemClock });
  try {
    const put = store.put('s3://bucket/key', Buffer.from('a'), { if: 'absent' });
    await expect(put).rejects.toMatchObject({ kind: 'forbidden' });
    await expect(store.exists('s3://bucket/key')).rejects.toMatchObject({ kind: 'forbidden' });
  } finally {
    store.close();
    vi.unstubAllEnvs();
  }
});
