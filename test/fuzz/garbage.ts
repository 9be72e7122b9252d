import fc from 'fast-check';
import { stringifyJson } from '../../src/iceberg/json.ts';
import type { Dice } from './dice.ts';

/** JSON texts that are no values of JavaScript. */
const RAW = [
  '1e999',
  '-1e999',
  '9223372036854775807',
  '9223372036854775808',
  '-9223372036854775809',
  '340282366920938463463374607431768211456',
  '1e-999',
  '-0',
  '0.1e1',
  '1.0',
  '"\\u0000"',
  '"\\ud800"',
  '"\\u001f"',
  '"\u202e\u0000"',
  'NaN',
  'Infinity',
  '{"__proto__":{"a":1}}',
  '{"a":1,"a":2}',
  '[1,]',
  "'a'",
  '',
  '\u0000',
];

export const NAMES = [
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'main',
  '..',
  '.',
  '%2e%2e',
  'a/b',
  'a\\b',
  'a.b',
  'a b',
  'a+b',
  'ä😀',
  '\ud800',
  '\u202etxet',
  'a\u0000b',
  'a\u001fb',
  '*',
  '?x=1',
  '#',
  ';drop table tables',
  "'; DROP TABLE tables; --",
  '${jndi:x}',
  'NULL',
  'x'.repeat(300),
  'n'.repeat(9000),
  ' ',
  '\n',
];

/** Values of all kinds, drawn once for a seed. */
export function garbagePool(seed: number): readonly unknown[] {
  const anything = fc.oneof(
    fc.jsonValue({ maxDepth: 4 }),
    fc.constantFrom<unknown>(null, true, false, 0, -1, 1, 2 ** 31, 2 ** 53, -(2 ** 63), 0.5, '', [], {}),
    fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }),
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.constantFrom(...NAMES),
    fc.array(fc.constantFrom<unknown>(null, 1, 'a', {}), { maxLength: 5 }),
  );
  return fc.sample(anything, { seed, numRuns: 2000 });
}

/** A value nested `depth` levels deep. */
export function nested(dice: Dice, depth: number): unknown {
  let value: unknown = 1;
  const [key, asList] = [dice.pick(['a', 'type', 'left', 'child', 'fields', 'element']), dice.chance(0.5)];
  for (let level = 0; level < depth; level++) value = asList ? [value] : { type: 'not', [key]: value };
  return value;
}

type Node = Record<string, unknown> | unknown[];

/** The places in a value that can be changed. */
function places(value: unknown, found: (readonly [Node, string])[] = []): (readonly [Node, string])[] {
  if (typeof value !== 'object' || value === null || found.length > 500) return found;
  const node = value as Node;
  for (const key of Object.keys(node)) {
    found.push([node, key]);
    places((node as Record<string, unknown>)[key], found);
  }
  return found;
}

/** A copy of the body with one or two members changed, taken away, doubled or renamed. */
export function mutated(dice: Dice, pool: readonly unknown[], body: unknown): unknown {
  const copy = structuredClone(body);
  for (let times = 1 + dice.int(2); times > 0; times--) {
    const all = places(copy);
    if (all.length === 0) return dice.pick(pool);
    const [node, key] = dice.pick(all);
    const members = node as Record<string, unknown>;
    dice.weighted<() => void>([
      [5, () => (members[key] = structuredClone(dice.pick(pool)))],
      [3, () => delete members[key]],
      [1, () => (members[key] = [members[key], members[key]])],
      [1, () => (members[key] = typeof members[key] === 'object' ? '{}' : String(members[key]))],
      [1, () => (members[dice.pick(NAMES)] = members[key])],
      [1, () => (members[key] = nested(dice, dice.pick([3, 50, 200, 1200])))],
      [1, () => (members[key] = null)],
    ])();
  }
  return copy;
}

/** The body's text, broken in one of the ways in which texts break. */
export function rawText(dice: Dice, body: unknown): string {
  const text = stringifyJson(body) ?? '';
  const at = dice.int(text.length + 1);
  return dice.weighted<() => string>([
    [2, () => text.slice(0, at)],
    [2, () => text.slice(0, at) + dice.pick(RAW) + text.slice(at)],
    // A value of the text, replaced by what JSON has and JavaScript does not.
    [4, () => text.replace(/(?<=:)(\d+|"[^"]*"|null|true)/, () => dice.pick(RAW))],
    [1, () => text.replace('{', '{"name":"doubled","requirements":[],')],
    [1, () => `${text}${text}`],
    [1, () => `\ufeff${text}`],
    [1, () => dice.pick(RAW)],
    [1, () => '['.repeat(dice.pick([10, 5000, 200_000]))],
    [1, () => `{"a":${'{"a":'.repeat(20_000)}1${'}'.repeat(20_001)}`],
    [1, () => `"${'x'.repeat(200_000)}"`],
  ])();
}
