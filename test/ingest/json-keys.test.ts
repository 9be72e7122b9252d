import fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ingest } from '../../src/ingest/ingest.ts';
import { parseJsonLine } from '../../src/ingest/json-value.ts';
import { quarantineTable } from '../../src/ingest/quarantine.ts';
import { column, type IngestLake, openIngestLake, TABLE } from './ingest-lake.ts';

let lake: IngestLake;
beforeEach(async () => {
  lake = await openIngestLake();
});
afterEach(() => lake.dispose());

/** An object by its pairs, in order, so that a key may come twice. */
type Node =
  | { readonly pairs: readonly (readonly [string, Node])[] }
  | { readonly items: readonly Node[] }
  | string;

/** Few keys, so that many come twice, with what a scanner may trip over. None holds a backslash: V8 itself (Node 24.21) reads `"\\""` as such a key where it has just seen one. */
const keys = fc.constantFrom('a', 'b', '', ':', '"', '":', '{', '}', '__proto__', 'é', '\n', '0');
const leaves = fc
  .oneof(
    fc.constantFrom(
      '1',
      '-0',
      '1e400',
      '12345678901234567890.5',
      'null',
      'true',
      '"a\\":{"',
      '": 1, "',
      '\\',
    ),
    fc.string(),
  )
  .map((text) => {
    try {
      JSON.parse(text);
      return text;
    } catch {
      return JSON.stringify(text);
    }
  });
const { node } = fc.letrec<{ node: Node }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 4, depthSize: 'medium' },
    leaves,
    fc.array(fc.tuple(keys, tie('node')), { maxLength: 4 }).map((pairs) => ({ pairs })),
    fc.array(tie('node'), { maxLength: 3 }).map((items) => ({ items })),
  ),
}));
const spaces = fc.constantFrom('', ' ', '\t ');

function written(one: Node, space: string, isEscaped: boolean): string {
  if (typeof one === 'string') return one;
  if ('items' in one)
    return `[${one.items.map((item) => written(item, space, isEscaped)).join(`,${space}`)}]`;
  const pairs = one.pairs.map(([key, value], i) => {
    // The same key, written in another way.
    const text = isEscaped && i % 2 === 1 && key === 'a' ? '"\\u0061"' : JSON.stringify(key);
    return `${space}${text}${space}:${space}${written(value, space, isEscaped)}`;
  });
  return `{${pairs.join(',')}}`;
}

function isDoubled(one: Node): boolean {
  if (typeof one === 'string') return false;
  if ('items' in one) return one.items.some(isDoubled);
  const names = one.pairs.map(([key]) => key);
  return new Set(names).size < names.length || one.pairs.some(([, value]) => isDoubled(value));
}

it('tells exactly the documents in which a key comes twice', () => {
  let doubled = 0;
  fc.assert(
    fc.property(node, spaces, fc.boolean(), (one, space, isEscaped) => {
      const { fault } = parseJsonLine(written(one, space, isEscaped));
      if (isDoubled(one)) {
        doubled++;
        expect(fault).toMatch(/holds the key ".*" twice/);
      } else expect(fault).toBeNull();
    }),
    // A fixed seed: what is counted below must not hang on luck.
    { numRuns: 2000, seed: 20261121 },
  );
  expect(doubled).toBeGreaterThan(100);
});

it('reads texts and nesting beyond the stack', () => {
  const text = ':"'.repeat(3_000_000);
  expect(parseJsonLine(JSON.stringify({ a: text })).fault).toBeNull();
  expect(parseJsonLine(`{"a": ${JSON.stringify(text)}, "a": 1}`).fault).toContain('"a" twice');
  expect(parseJsonLine(`${'['.repeat(200_000)}${']'.repeat(200_000)}`).fault).toBeNull();
});

it('sets a line with a doubled key aside whole', async () => {
  await lake.createTable([column('id', 'long', true), column('note', 'string')]);
  const raw = '{"id": 1, "note": "first", "note": "second"}';
  const file = await lake.file('d.jsonl', `${raw}\n{"id": 2}\n`);
  await expect(ingest(lake, TABLE, { files: [file] })).rejects.toMatchObject({
    where: expect.stringContaining('line 1: an object holds the key "note" twice'),
  });
  expect(await ingest(lake, TABLE, { files: [file], onError: 'quarantine' })).toMatchObject({
    rows: 1,
    quarantined: 1,
  });
  expect(await lake.rows(quarantineTable(TABLE), 'raw')).toEqual([{ raw }]);
});
