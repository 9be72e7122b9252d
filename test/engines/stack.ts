import { describe, inject } from 'vitest';
import { TrinoEngine } from '../../src/engine/trino.ts';
import { type StackSettings, stackSettings } from '../../stack/settings.ts';

const variables = inject('stackVariables');

/** A `describe` that is left out where there is no stack; the set-up has said why. */
export const withStack: typeof describe.skip = describe.skipIf(variables === null);

/** Where the stack of this run lies. Only inside of `withStack`. */
export function testedStack(): StackSettings {
  if (variables === null) throw new Error('there is no stack');
  return stackSettings(variables);
}

/** SQL on the stack's Trino, in its catalog `lake`. */
export function testedTrino(): TrinoEngine {
  const server = `http://127.0.0.1:${testedStack().ports.trino}`;
  return new TrinoEngine({ server, catalog: 'lake', user: 'tests' });
}
