/** `npm run stack -- up|down|status|logs|env [SERVICE…]`: the services around a lake, on this machine, without containers. See docs/stack.md. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { lakeEnvironment } from './catalog.ts';
import { stackSettings } from './settings.ts';
import { Stack } from './stack.ts';

const USAGE = `npm run stack -- COMMAND [SERVICE…]

  up [SERVICE…]       start services and what they need: Trino and all below it if none is named
  down [SERVICE…]     stop them; data stays
  status              what runs, where it answers, and what the machine lacks
  logs SERVICE        follow what a service prints (Ctrl-C ends it)
  env                 variables that let \`lake\` and the examples use the stack: eval "$(npm run -s stack -- env)"

Ports: LAKE_STACK_<SERVICE>_PORT. Data, logs and secrets: LAKE_STACK_HOME. An existing database: LAKE_STACK_POSTGRES=postgres://…
`;

const say = (text: string) => process.stdout.write(`${text}\n`);
const [command, ...names] = process.argv.slice(2);
try {
  process.exitCode = await run(command, names);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

async function run(word: string | undefined, services: readonly string[]): Promise<number> {
  const settings = stackSettings(process.env);
  const stack = new Stack(settings);
  const unknown = services.find((name) => !stack.names.includes(name));
  if (unknown !== undefined) return misused(`no service "${unknown}"; there are ${stack.names.join(', ')}`);
  switch (word) {
    case 'up':
      await stack.up(services, say);
      return 0;
    case 'down':
      await stack.down(services, say);
      return 0;
    case 'status':
      for (const { name, state, address, pid, missing } of await stack.status()) {
        say(
          `${name.padEnd(11)}${state.padEnd(15)}${address.padEnd(24)}${missing ?? (pid === null ? '' : `pid ${pid}`)}`,
        );
      }
      return 0;
    case 'logs':
      return services[0] === undefined ? misused('which service?') : follow(stack.logOf(services[0]));
    case 'env':
      for (const [name, value] of Object.entries(lakeEnvironment(settings))) say(`export ${name}='${value}'`);
      return 0;
    default:
      return misused(word === undefined ? 'which command?' : `no command "${word}"`);
  }
}

function misused(problem: string): number {
  process.stderr.write(`${problem}\n\n${USAGE}`);
  return 2;
}

async function follow(log: string): Promise<number> {
  const tail = spawn('tail', ['-n', '200', '-F', log], { stdio: 'inherit' });
  await once(tail, 'exit');
  return 0;
}
