import { createServer } from 'node:net';
import { PORT_NAMES, stackSettings } from './settings.ts';

/** `env` with a port for every service of a stack: the one that it names, else the usual one, or any where somebody listens there. */
export async function withOpenPorts(
  env: Readonly<Record<string, string | undefined>>,
): Promise<Record<string, string | undefined>> {
  const { ports } = stackSettings(env);
  const chosen = { ...env };
  for (const name of PORT_NAMES) {
    const key = `LAKE_STACK_${name.toUpperCase()}_PORT`;
    chosen[key] ??= String((await portAt(ports[name])) ?? (await portAt(0)) ?? ports[name]);
  }
  return chosen;
}

/** `port` of this machine (0: any), if nobody listens there. */
async function portAt(port: number): Promise<number | null> {
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(port, '127.0.0.1', resolve);
    });
    const address = server.address();
    return typeof address === 'object' ? (address?.port ?? null) : null;
  } catch {
    return null;
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}
