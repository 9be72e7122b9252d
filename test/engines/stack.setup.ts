import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { PORT_NAMES, stackSettings } from '../../stack/settings.ts';
import { Stack } from '../../stack/stack.ts';
import { freePort } from '../free-port.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The `LAKE_STACK_…` variables of the stack that the tests share; null where the machine lacks something for it. */
    readonly stackVariables: Readonly<Record<string, string>> | null;
  }
}

/**
 * One stack for all the tests of a run: each keeps to a namespace of its own. LAKE_TEST_STACK=kept takes the stack that the LAKE_STACK_… variables
 * name, and leaves it running, for those who write tests.
 */
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const kept = process.env['LAKE_TEST_STACK'] === 'kept';
  const variables = kept ? stackVariables() : await freshStack();
  const stack = new Stack(stackSettings(variables));
  const missing = stack.missing(['trino']);
  if (missing.length > 0) {
    if (process.env['CI'] !== undefined) throw new Error(missing.join('\n'));
    console.warn(`left out, all tests of engines: ${missing.join('; ')}`);
    project.provide('stackVariables', null);
    return async () => {};
  }
  await stack.up(['trino'], () => {});
  project.provide('stackVariables', variables);
  return async () => {
    if (kept) return;
    await stack.down([], () => {});
    await rm(variables['LAKE_STACK_HOME'] ?? '', { recursive: true, force: true });
  };
}

function stackVariables(): Record<string, string> {
  const given = Object.entries(process.env).filter(([name]) => name.startsWith('LAKE_STACK_'));
  return Object.fromEntries(given.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}

async function freshStack(): Promise<Record<string, string>> {
  const folder = await mkdtemp(join(tmpdir(), 'lake-engines-'));
  // PostgreSQL runs as another user where the tests run as root.
  await chmod(folder, 0o755);
  const variables: Record<string, string> = { LAKE_STACK_HOME: folder };
  for (const name of PORT_NAMES)
    variables[`LAKE_STACK_${name.toUpperCase()}_PORT`] = String(await freePort());
  return variables;
}
