import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Ports of the services, each set by `LAKE_STACK_<NAME>_PORT`. */
const PORTS = {
  minio: 9000,
  versitygw: 7070,
  postgres: 5433,
  catalog: 8181,
  metrics: 9464,
  trino: 8080,
  exporter: 9465,
  prometheus: 9090,
  superset: 8088,
} as const;
export type PortName = keyof typeof PORTS;
export const PORT_NAMES = Object.keys(PORTS) as readonly PortName[];

const SECRETS = [
  's3-access-key',
  's3-secret-key',
  'postgres-password',
  'superset-key',
  'superset-password',
] as const;
type SecretName = (typeof SECRETS)[number];

type Environment = Readonly<Record<string, string | undefined>>;

/** Where a stack lies and how its parts reach each other. */
export interface StackSettings {
  /** Data, logs and process files; `LAKE_STACK_HOME`, else below the user's data folder (root: /var/lib). */
  readonly folder: string;
  /** Programs that were fetched or built; shared by all stacks and outside of the checkout. */
  readonly cache: string;
  readonly ports: Readonly<Record<PortName, number>>;
  secret(name: SecretName): string;
  /** Keeps a credential that a service gave out; null until there is one. */
  credential(name: string): string | null;
  keepCredential(name: string, value: string): void;
}

/** The settings, with secrets made at the first use and kept for the user alone. @throws Error for a port that is none */
export function stackSettings(env: Environment): StackSettings {
  const folder = env['LAKE_STACK_HOME'] ?? join(dataHome(env), 'lakewarden/stack');
  const cache = join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'lakewarden');
  const kept = join(folder, 'secrets.json');
  const known = new Map<string, string>();
  if (existsSync(kept)) {
    for (const [name, value] of Object.entries(JSON.parse(readFileSync(kept, 'utf8'))))
      known.set(name, String(value));
  }
  const keep = (name: string, value: string) => {
    known.set(name, value);
    mkdirSync(folder, { recursive: true });
    const fresh = `${kept}.${process.pid}`;
    writeFileSync(fresh, `${JSON.stringify(Object.fromEntries(known), null, 2)}\n`, { mode: 0o600 });
    chmodSync(fresh, 0o600);
    renameSync(fresh, kept);
    return value;
  };
  return {
    folder,
    cache,
    ports: portsOf(env),
    secret: (name) => known.get(name) ?? keep(name, randomBytes(20).toString('hex')),
    credential: (name) => known.get(`credential:${name}`) ?? null,
    keepCredential: (name, value) => void keep(`credential:${name}`, value),
  };
}

/** PostgreSQL does not run as root, and no other user gets into root's home. */
function dataHome(env: Environment): string {
  if (process.getuid?.() === 0) return '/var/lib';
  return env['XDG_DATA_HOME'] ?? join(homedir(), '.local/share');
}

function portsOf(env: Environment): Record<PortName, number> {
  const ports: Record<PortName, number> = { ...PORTS };
  for (const name of PORT_NAMES) {
    const key = `LAKE_STACK_${name.toUpperCase()}_PORT`;
    const text = env[key];
    if (text === undefined) continue;
    const port = Number(text);
    if (!/^\d+$/.test(text) || port < 1 || port > 65_535) throw new Error(`${key} is no port: ${text}`);
    ports[name] = port;
  }
  return ports;
}
