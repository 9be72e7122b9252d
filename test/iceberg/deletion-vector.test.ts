import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { deletedPositions } from '../../src/iceberg/deletion-vector.ts';

const u16 = (...values: number[]): Buffer => Buffer.from(Uint16Array.from(values).buffer);
const u32 = (...values: number[]): Buffer => Buffer.from(Uint32Array.from(values).buffer);
const big = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

interface Container {
  readonly key: number;
  readonly asRuns: boolean;
  readonly lows: readonly number[];
}

function runsOf(lows: readonly number[]): [number, number][] {
  const runs: [number, number][] = [];
  for (const low of lows) {
    const last = runs.at(-1);
    if (last && last[0] + last[1] + 1 === low) last[1]++;
    else runs.push([low, 0]);
  }
  return runs;
}

function containerBytes({ asRuns, lows }: Container): Buffer {
  const runs = runsOf(lows);
  if (asRuns) return u16(runs.length, ...runs.flat());
  if (lows.length <= 4096) return u16(...lows);
  const bits = Buffer.alloc(8192);
  for (const low of lows) bits[low >> 3] = bits[low >> 3]! | (1 << (low & 7));
  return bits;
}

/** A 32-bit Roaring bitmap as its format specification lays it out. */
function bitmap(containers: readonly Container[]): Buffer {
  const size = containers.length;
  const hasRuns = containers.some((container) => container.asRuns);
  const flags = Buffer.alloc(Math.ceil(size / 8));
  containers.forEach(({ asRuns }, i) => {
    if (asRuns) flags[i >> 3] = flags[i >> 3]! | (1 << (i & 7));
  });
  const head = hasRuns ? Buffer.concat([u32(12347 | ((size - 1) << 16)), flags]) : u32(12346, size);
  const keys = u16(...containers.flatMap(({ key, lows }) => [key, lows.length - 1]));
  const bodies = containers.map(containerBytes);
  const hasOffsets = !hasRuns || size >= 4;
  let at = head.length + keys.length + (hasOffsets ? 4 * size : 0);
  const offsets = bodies.map((body) => {
    at += body.length;
    return at - body.length;
  });
  return Buffer.concat([head, keys, ...(hasOffsets ? [u32(...offsets)] : []), ...bodies]);
}

function blob(bitmaps: ReadonlyMap<number, readonly Container[]>): Buffer {
  const vector = Buffer.concat([
    Buffer.from('d1d33964', 'hex'),
    u32(bitmaps.size, 0),
    ...[...bitmaps].flatMap(([key, containers]) => [u32(key), bitmap(containers)]),
  ]);
  return Buffer.concat([big(vector.length), vector, big(crc32(vector))]);
}

const lows = fc.oneof(
  fc.uniqueArray(fc.nat(65535), { minLength: 1, maxLength: 50 }),
  fc
    .tuple(fc.nat(60000), fc.integer({ min: 4000, max: 5500 }))
    .map(([from, length]) => Array.from({ length }, (_, i) => from + i)),
  fc.constant(Array.from({ length: 65536 }, (_, i) => i)),
);
const containers = fc
  .dictionary(fc.nat(65535).map(String), fc.record({ asRuns: fc.boolean(), lows }), {
    minKeys: 1,
    maxKeys: 6,
  })
  .map((byKey) =>
    Object.entries(byKey)
      .map(([key, { asRuns, lows: some }]) => ({
        key: Number(key),
        asRuns,
        lows: some.toSorted((a, b) => a - b),
      }))
      .sort((a, b) => a.key - b.key),
  );
const vectors = fc
  .dictionary(fc.nat(300).map(String), containers, { maxKeys: 3 })
  .map((byKey) => new Map(Object.entries(byKey).map(([key, value]) => [Number(key), value] as const)));

it('reads arrays, bitmaps and runs, below and above 2^32', () => {
  fc.assert(
    fc.property(vectors, (bitmaps) => {
      const expected = [...bitmaps].flatMap(([high, parts]) =>
        parts.flatMap(({ key, lows: some }) => some.map((low) => high * 2 ** 32 + key * 65536 + low)),
      );
      const found = [...deletedPositions(blob(bitmaps))];
      expect(found.length).toBe(expected.length);
      expect(found.every((position, i) => position === expected[i])).toBe(true);
    }),
    { numRuns: 20 },
  );
});

it('refuses a vector of which any byte has changed or is missing', () => {
  const whole = blob(new Map([[0, [{ key: 1, asRuns: false, lows: [1, 5, 9] }]]]));
  expect([...deletedPositions(whole)]).toEqual([65537, 65541, 65545]);
  for (let at = 0; at < whole.length; at++) {
    const damaged = Buffer.from(whole);
    damaged[at] = damaged[at]! ^ 0x10;
    expect(() => [...deletedPositions(damaged)], `byte ${at}`).toThrow(/deletion vector/);
    expect(() => [...deletedPositions(whole.subarray(0, at))], `${at} bytes`).toThrow(/deletion vector/);
  }
});
