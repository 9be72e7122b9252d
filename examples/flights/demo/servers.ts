import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { lakeEnvironment, lakeFolder } from '../../../stack/catalog.ts';
import { withOpenPorts } from '../../../stack/open-ports.ts';
import { PORT_NAMES, type StackSettings, stackSettings } from '../../../stack/settings.ts';
import { Stack } from '../../../stack/stack.ts';
import { DemoFailure, DemoProject } from './project.ts';

/** In the stack's folder: the demo made it, and may make it anew. It holds the ports. */
const MARK = 'demo.json';

/** The servers of a demo. */
export interface DemoServers {
  readonly settings: StackSettings;
  readonly project: DemoProject;
  /** True if the demo started them. */
  readonly own: boolean;
  /** What `npm run stack` needs in front of it to mean these servers. */
  readonly variables: string;
  stop(): Promise<void>;
}

/**
 * MinIO, PostgreSQL, the catalog and Trino with an empty lake: a stack of the demo's own, made anew each time, or the one that LAKE_STACK_HOME names.
 * @throws DemoFailure for a stack whose lake holds tables already; Error that says what the machine lacks
 */
export async function demoServers(say: (text: string) => void): Promise<DemoServers> {
  const given = process.env['LAKE_STACK_HOME'];
  const folder = given ?? join(dirname(stackSettings({}).folder), 'demo');
  const isOwn = await clear(folder);
  const env = isOwn
    ? await withOpenPorts({ ...process.env, LAKE_STACK_HOME: folder })
    : { ...process.env, LAKE_STACK_HOME: folder };
  const settings = stackSettings(env);
  const stack = new Stack(settings);
  const ran = (await stack.status()).some(({ name, state }) => name === 'trino' && state === 'running');
  const missing = stack.missing([]);
  if (missing.length > 0) throw new DemoFailure(missing.join('\n'));
  if (isOwn) await writeFile(join(folder, MARK), `${JSON.stringify(portsOf(env), null, 2)}\n`);
  const stop = () => (ran ? Promise.resolve() : stack.down([], () => undefined));
  try {
    await stack.up([], say);
    const project = new DemoProject(lakeFolder(settings), lakeEnvironment(settings));
    const tables = await project.rows(['table', 'list']);
    if (tables.length > 0) {
      throw new DemoFailure(
        `The lake in ${folder} holds ${tables.length} tables already, and the demo fills an empty one. Leave LAKE_STACK_HOME out, or name a new folder.`,
      );
    }
    const variables = Object.entries({ LAKE_STACK_HOME: folder, ...(isOwn ? portsOf(env) : {}) });
    return {
      settings,
      project,
      own: !ran,
      variables: variables.map(([name, value]) => `${name}=${value}`).join(' '),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Makes the folder ready: one of an earlier demo is emptied, its servers stopped. False for somebody else's, which is left as it is. */
async function clear(folder: string): Promise<boolean> {
  const mark = join(folder, MARK);
  if (existsSync(mark)) {
    const ports: Record<string, string> = JSON.parse(await readFile(mark, 'utf8'));
    await new Stack(stackSettings({ ...ports, LAKE_STACK_HOME: folder })).down([], () => undefined);
    await rm(folder, { recursive: true });
  } else if (existsSync(folder)) return false;
  await mkdir(folder, { recursive: true });
  return true;
}

/** The ports that are not the usual ones. */
function portsOf(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const usual = stackSettings({}).ports;
  return Object.fromEntries(
    PORT_NAMES.flatMap((name) => {
      const key = `LAKE_STACK_${name.toUpperCase()}_PORT`;
      const port = env[key];
      return port === undefined || port === String(usual[name]) ? [] : [[key, port]];
    }),
  );
}
