import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, cp, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lakeEnvironment } from '../../stack/catalog.ts';
import { stackSettings } from '../../stack/settings.ts';
import { type ComposeModel, type ComposeService, composeModel, ROOT } from './compose-model.ts';
import { canHaveServers, startS3Server } from './s3-server.ts';

const run = promisify(execFile);
const textOf = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const COMPOSE = textOf('docker-compose.yml');
const GIB = 1024 ** 3;
/** A version, not a name that moves: 476, 17.6-bookworm, v3.13.3. */
const PINNED = /^v?\d[\w.-]*$/;

/** Variables by their names in the files below `folder`, where `pattern` catches a name. */
function namesIn(folder: string, pattern: RegExp): Set<string> {
  const names = new Set<string>();
  for (const entry of readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const text = readFileSync(join(entry.parentPath, entry.name), 'utf8');
    for (const [, name] of text.matchAll(pattern)) if (name !== undefined) names.add(name);
  }
  return names;
}

describe.skipIf(!canHaveServers())('docker-compose.yml', () => {
  let folder: string;
  let env: Record<string, string>;
  let model: ComposeModel;
  const services = (): [string, ComposeService][] => Object.entries(model.services);
  const service = (name: string): ComposeService => {
    const found = model.services[name];
    if (found === undefined) throw new Error(`no service ${name}`);
    return found;
  };
  const isJob = ({ restart }: ComposeService) => restart === 'no';
  /** All that `name` waits for, and what that waits for. */
  const waitsFor = (name: string): Set<string> => {
    const direct = Object.keys(service(name).depends_on ?? {});
    return new Set(direct.flatMap((one) => [one, ...waitsFor(one)]));
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lake-compose-'));
    await chmod(folder, 0o755);
    await cp(join(ROOT, 'docker'), join(folder, 'docker'), { recursive: true });
    for (const name of ['docker-compose.yml', '.env.example']) await cp(join(ROOT, name), join(folder, name));
    await run('sh', ['docker/secrets.sh'], { cwd: folder });
    const lines = (await readFile(join(folder, '.env'), 'utf8')).matchAll(/^(\w+)=(.+)$/gm);
    env = Object.fromEntries([...lines].map(([, name = '', value = '']) => [name, value]));
    model = await composeModel(join(ROOT, 'docker-compose.yml'), env);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('makes a secret for each name, for the user alone, and never replaces one', async () => {
    expect(Object.keys(env)).toHaveLength(6);
    expect(new Set(Object.values(env)).size).toBe(6);
    for (const secret of Object.values(env)) expect(secret).toMatch(/^[0-9a-f]{40}$/);
    expect((await stat(join(folder, '.env'))).mode & 0o077).toBe(0);
    const before = await readFile(join(folder, '.env'), 'utf8');
    await expect(run('sh', ['docker/secrets.sh'], { cwd: folder })).rejects.toThrow('Nothing was changed');
    expect(await readFile(join(folder, '.env'), 'utf8')).toBe(before);
  });

  it('reads .env, and says which secret is missing and how to make it', async () => {
    expect((await composeModel(join(folder, 'docker-compose.yml'), {})).services).toHaveProperty('trino');
    await mkdir(join(folder, 'bare'));
    const bare = join(folder, 'bare/docker-compose.yml');
    await cp(join(folder, 'docker-compose.yml'), bare);
    for (const name of Object.keys(env)) {
      const { [name]: _, ...rest } = env;
      await expect(composeModel(bare, rest), name).rejects.toThrow(
        new RegExp(`${name} is missing a value: sh docker/secrets.sh makes .env`),
      );
    }
  });

  it('names every variable in .env.example, with the same default, and no other', () => {
    const used = new Map(
      [...COMPOSE.matchAll(/\$\{(\w+)(?::-(\w+))?/g)].map(([, name, value]) => [name, value]),
    );
    const told = new Map(
      [...textOf('.env.example').matchAll(/^#?([A-Z_0-9]+)=(\w*)$/gm)].map(([, name, value]) => [
        name,
        value === '' ? undefined : value,
      ]),
    );
    expect(told).toEqual(used);
  });

  it('has the ports of the native stack, on this machine alone and each once', () => {
    const { ports } = stackSettings({});
    const published = services().flatMap(([, { ports: own = [] }]) => own);
    expect(new Set(published.map((port) => port.published)).size).toBe(published.length);
    for (const { host_ip } of published) expect(host_ip).toBe('127.0.0.1');
    for (const [name, port] of Object.entries(ports)) {
      const variable = `LAKE_STACK_${name.toUpperCase()}_PORT`;
      expect(COMPOSE, variable).toContain(`\${${variable}:-${port}}`);
    }
  });

  it('pins every image, and builds from what is pinned', () => {
    const dockerfile = textOf('Dockerfile');
    const stages = new Set([...dockerfile.matchAll(/^FROM \S+ AS (\S+)$/gm)].map(([, name]) => name));
    for (const [, image = ''] of dockerfile.matchAll(/^FROM (\S+)/gm)) {
      if (!stages.has(image)) expect(image.split(':')[1], image).toMatch(PINNED);
    }
    for (const [name, { image, build }] of services()) {
      expect(image.split(':')[1], name).toMatch(PINNED);
      if (build !== undefined) expect(stages, name).toContain(build.target);
    }
  });

  it('has the versions of the native stack', () => {
    const { version } = JSON.parse(textOf('package.json'));
    expect(service('catalog').image).toBe(`lakewarden/lake:${version}`);
    expect(textOf('stack/trino.ts')).toContain(`VERSION = '${service('trino').image.split(':')[1]}'`);
    const superset = /^apache-superset==(\S+)$/m.exec(textOf('superset/requirements.txt'))?.[1];
    expect(service('superset').image).toBe(`lakewarden/superset:${superset}`);
    const dockerfile = textOf('Dockerfile');
    const modules = [
      ...textOf('stack/s3-binaries.ts').matchAll(
        /module: '(.+)',\s+program: '(.*)',\s+version: '(.+)',\s+sum: '(.+)',/g,
      ),
    ];
    expect(modules).toHaveLength(2);
    for (const [, module, program, of, sum] of modules) {
      expect(dockerfile).toContain(`go install ${module}${program}@${of} `);
      expect(dockerfile).toContain(`grep -F '${sum}'`);
    }
  });

  it('copies into images and mounts only what is there', () => {
    const allowed = textOf('.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));
    for (const [, words = ''] of textOf('Dockerfile').matchAll(/^COPY (?!--from)(.+)$/gm)) {
      for (const source of words.split(' ').slice(0, -1)) {
        expect(existsSync(join(ROOT, source)), source).toBe(true);
        expect(
          allowed.some((one) => source === one || source.startsWith(`${one}/`)),
          source,
        ).toBe(true);
      }
    }
    for (const [name, { volumes = [] }] of services()) {
      for (const { type, source, read_only } of volumes) {
        if (type === 'volume') expect(model.volumes, name).toHaveProperty(source);
        else {
          expect(existsSync(source), `${name} mounts ${relative(ROOT, source)}`).toBe(true);
          expect(read_only, `${name} mounts ${relative(ROOT, source)}`).toBe(true);
        }
      }
    }
  });

  it('gives each service the variables that its configuration names', () => {
    const given = (name: string) => new Set(Object.keys(service(name).environment ?? {}));
    const exported = [...textOf('docker/trino.sh').matchAll(/^export (\w+)$/gm)].map(([, name]) => name);
    expect(new Set([...given('trino'), ...exported])).toEqual(namesIn('trino/etc', /\$\{ENV:(\w+)\}/g));
    for (const name of namesIn('superset', /os\.environ\["(\w+)"\]/g)) {
      expect(given('superset'), name).toContain(name);
      expect(given('dashboards'), name).toContain(name);
    }
    for (const name of namesIn('grafana/provisioning', /\$\{?(LAKE_\w+)\}?/g))
      expect(given('grafana'), name).toContain(name);
  });

  it('has a service at each place that Prometheus asks', () => {
    const targets = namesIn('prometheus/targets', /["']([\w.]+:\d+)["']/g);
    expect(targets.size).toBeGreaterThanOrEqual(4);
    for (const target of targets) {
      const [host = '', port] = target.split(':');
      const { ports = [] } = service(host === 'localhost' ? 'prometheus' : host);
      expect(
        ports.map((one) => String(one.target)),
        target,
      ).toContain(port);
    }
  });

  it('sets the lake up as the native stack does, at other addresses', () => {
    const secrets: Record<string, string | undefined> = {
      's3-access-key': env['LAKE_S3_ACCESS_KEY'],
      's3-secret-key': env['LAKE_S3_SECRET_KEY'],
      'postgres-password': env['LAKE_POSTGRES_PASSWORD'],
    };
    const settings = { ...stackSettings({}), secret: (name: string) => secrets[name] ?? '' };
    const addresses = { minio: 'minio:9000', postgres: 'postgres:5432', trino: 'trino:8080' } as const;
    const native = Object.entries(lakeEnvironment(settings)).map(([name, value]) => {
      let text = value;
      for (const part of ['minio', 'postgres', 'trino'] as const)
        text = text.replace(`127.0.0.1:${settings.ports[part]}`, addresses[part]);
      return [name, text];
    });
    for (const name of ['prepare', 'catalog', 'account', 'load', 'reports', 'metrics']) {
      expect(service(name).environment, name).toMatchObject(Object.fromEntries(native));
    }
  });

  it('starts each part when those that it needs are ready, and watches what stays', () => {
    for (const [name, one] of services()) {
      for (const [need, { condition }] of Object.entries(one.depends_on ?? {})) {
        const wanted = isJob(service(need)) ? 'service_completed_successfully' : 'service_healthy';
        expect(condition, `${name} waits for ${need}`).toBe(wanted);
      }
      expect(one.mem_limit, name).toBeDefined();
      expect(one.healthcheck !== undefined, `${name} has a health check`).toBe(!isJob(one));
    }
    expect(waitsFor('superset')).toContain('load');
    expect(waitsFor('trino')).toContain('account');
  });

  it('fits 8 GB at every moment of the start', () => {
    const limit = (name: string) => Number(service(name).mem_limit);
    const names = services().flatMap(([name, { profiles }]) => (profiles === undefined ? [name] : []));
    const stays = names.filter((name) => !isJob(service(name)));
    const sum = (some: readonly string[]) => some.reduce((total, name) => total + limit(name), 0);
    expect(sum(stays)).toBeLessThan(8 * GIB);
    for (const job of names.filter((name) => isJob(service(name)))) {
      // What does not wait for the job may run beside it.
      const beside = names.filter(
        (name) =>
          name !== job && !waitsFor(name).has(job) && !(isJob(service(name)) && waitsFor(job).has(name)),
      );
      expect(sum([job, ...beside]), job).toBeLessThan(8 * GIB);
    }
  });

  it.each(['minio', 'versitygw'] as const)('asks %s for its health as that answers it', async (name) => {
    const [, command = '', ...words] = service(name).healthcheck?.test ?? [];
    const server = await startS3Server(name);
    const port = new URL(server.settings.endpoint).port;
    const check = () =>
      run(
        command,
        words.map((word) => word.replace(/127\.0\.0\.1\/\d+/, `127.0.0.1/${port}`)),
      );
    try {
      // Its socket is open before it is ready.
      await expect.poll(() => check().then(() => 'healthy', String)).toBe('healthy');
    } finally {
      await server.close();
    }
    await expect(check()).rejects.toThrow();
  });

  it.each(['catalog', 'metrics'])('takes %s for ill where nothing answers', async (name) => {
    const [, command = '', ...words] = service(name).healthcheck?.test ?? [];
    expect(command).toBe('node');
    const nobody = words.map((word) => word.replace(/127\.0\.0\.1:\d+/, '127.0.0.1:1'));
    await expect(run(process.execPath, nobody)).rejects.toThrow();
    await writeFile(join(folder, 'answers.mjs'), ANSWERS);
    const { stdout } = await run(process.execPath, [join(folder, 'answers.mjs'), ...words]);
    expect(stdout).toBe('0');
  });
});

/** Answers everything, and says how the check at the end of its words ends. */
const ANSWERS = `
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
const server = createServer((_, answer) => answer.end('ok')).listen(0, '127.0.0.1', () => {
  const words = process.argv.slice(2).map((word) => word.replace(/127\\.0\\.0\\.1:\\d+/, '127.0.0.1:' + server.address().port));
  spawn(process.execPath, words).on('exit', (code) => { process.stdout.write(String(code)); server.close(); });
});
`;
