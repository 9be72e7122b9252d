import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lake } from '../../stack/catalog.ts';
import { PORT_NAMES, type StackSettings, stackSettings } from '../../stack/settings.ts';
import { Stack } from '../../stack/stack.ts';
import { freePort } from '../free-port.ts';
import { postgresMissing } from '../postgres/server.ts';
import { canHaveServers } from './s3-server.ts';

const there =
  canHaveServers() && postgresMissing() === null && process.env['LAKE_TEST_POSTGRES'] === undefined;

describe.skipIf(!there)('the stack on this machine', () => {
  let folder: string;
  let settings: StackSettings;
  let stack: Stack;
  const said: string[] = [];
  const say = (text: string) => void said.push(text);
  const stateOf = async (name: string) => (await stack.status()).find((service) => service.name === name);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lake-services-'));
    // PostgreSQL runs as another user where the tests run as root.
    await chmod(folder, 0o755);
    const env: Record<string, string> = { LAKE_STACK_HOME: folder };
    for (const name of PORT_NAMES) env[`LAKE_STACK_${name.toUpperCase()}_PORT`] = String(await freePort());
    settings = stackSettings(env);
    stack = new Stack(settings);
  });
  afterAll(async () => {
    await stack.down([], say);
    await rm(folder, { recursive: true, force: true });
  });

  it('starts a service with those it needs, and says where they answer', async () => {
    await stack.up(['catalog'], say);
    for (const name of ['minio', 'postgres', 'catalog']) {
      expect(await stateOf(name)).toMatchObject({ state: 'running', missing: null });
    }
    expect(await stateOf('trino')).toMatchObject({ state: 'stopped', pid: null });
    expect(said.at(-1)).toBe(`catalog is up at http://127.0.0.1:${settings.ports.catalog}`);
    // Secrets are for the user alone.
    expect((await stat(join(folder, 'secrets.json'))).mode & 0o077).toBe(0);
  });

  it('serves a lake on MinIO and PostgreSQL that asks for tokens', async () => {
    const uri = `http://127.0.0.1:${settings.ports.catalog}`;
    expect((await fetch(`${uri}/v1/namespaces`)).status).toBe(401);
    const [id, secret] = (settings.credential('trino') ?? '').split(':');
    const form = { grant_type: 'client_credentials', client_id: id ?? '', client_secret: secret ?? '' };
    const answer = await fetch(`${uri}/v1/oauth/tokens`, { method: 'POST', body: new URLSearchParams(form) });
    const { access_token: token } = (await answer.json()) as { access_token: string };
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const made = await fetch(`${uri}/v1/namespaces`, {
      method: 'POST',
      headers,
      body: '{"namespace":["n"]}',
    });
    expect(made.status).toBe(200);
    // Trino, which its lake.yaml names, has not been started: nothing else is amiss.
    const doctor = await lake(settings, ['doctor', '-o', 'json']).catch((error) => error.stdout);
    const findings: { check: string; status: string; detail: string }[] = JSON.parse(doctor);
    expect(findings.filter(({ status }) => status !== 'ok')).toMatchObject([
      { check: 'trino', status: 'fail' },
    ]);
    expect(findings.map(({ check }) => check)).toContain('storage: cold');
  });

  it('takes what runs already for what it is, and another program at a port for another program', async () => {
    const before = await stateOf('minio');
    await stack.up(['minio'], say);
    expect(await stateOf('minio')).toEqual(before);
    const other = new Stack({ ...settings, folder: join(folder, 'other') });
    await expect(other.up(['minio'], say)).rejects.toThrow('another program answers');
  });

  it('stops all of it, and takes no other process with the same id for one of its own', async () => {
    const { pid } = (await stateOf('catalog')) ?? {};
    const record = join(folder, 'run', 'catalog.json');
    const known = JSON.parse(await readFile(record, 'utf8'));
    expect(known.pid).toBe(pid);
    await stack.down([], say);
    for (const service of await stack.status())
      expect(service).toMatchObject({ state: 'stopped', pid: null });
    expect(() => process.kill(known.pid, 0)).toThrow('ESRCH');
    // Left by a machine that was switched off: the id is somebody else's by now, here this test's own.
    await writeFile(record, JSON.stringify({ ...known, pid: process.pid }));
    expect(await stateOf('catalog')).toMatchObject({ state: 'stopped', pid: null });
    await stack.down([], say);
  });
});
