import fc from 'fast-check';
import { expect, it } from 'vitest';
import { csvRecords } from '../../src/ingest/csv-records.ts';

async function* cut(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (const size of sizes) {
    if (at >= bytes.length) return;
    yield bytes.subarray(at, at + size);
    at += size;
  }
  if (at < bytes.length) yield bytes.subarray(at);
}

async function parse(bytes: Uint8Array, sizes: readonly number[] = [], delimiter = ',') {
  const all = [];
  for await (const records of csvRecords('f.csv', cut(bytes, sizes), { delimiter })) all.push(...records);
  return all.map(({ line, fields, fault, raw }) => ({ line, fields, fault, raw: raw.toString('latin1') }));
}

const field = fc.oneof(
  fc.constant(null),
  fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r', ' ', 'é', '😀', ';', '\\'), maxLength: 8 }),
);

function quoted(text: string | null, always: boolean): string {
  if (text === null) return '';
  return always || text === '' || /[",;\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

it('reads back what RFC 4180 writes, however the bytes are cut', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(field, { minLength: 2, maxLength: 4 }), { maxLength: 8 }),
      fc.constantFrom('\n', '\r\n'),
      fc.constantFrom(',', ';'),
      fc.boolean(),
      fc.boolean(),
      fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 60 }),
      async (rows, end, delimiter, always, mark, sizes) => {
        const lines = rows.map((row) => row.map((text) => quoted(text, always)).join(delimiter));
        const text = (mark ? '\ufeff' : '') + lines.join(end) + (rows.length > 0 && always ? end : '');
        const records = await parse(Buffer.from(text, 'utf8'), sizes, delimiter);
        expect(records.map((record) => record.fault)).toEqual(rows.map(() => null));
        expect(records.map((record) => record.fields)).toEqual(rows);
        let line = 1;
        for (const [i, record] of records.entries()) {
          expect(record.line).toBe(line);
          expect(record.raw).toBe(Buffer.from(lines[i]!, 'utf8').toString('latin1'));
          line += lines[i]!.split('\n').length;
        }
      },
    ),
    { numRuns: 500 },
  );
});

it('gives the same records of any bytes, however they are cut', async () => {
  const byte = fc.constantFrom(0x61, 0x22, 0x2c, 0x0a, 0x0d, 0xc3, 0xa9, 0xff, 0x00);
  await fc.assert(
    fc.asyncProperty(
      fc.array(byte, { maxLength: 40 }),
      fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 40 }),
      async (bytes, sizes) => {
        expect(await parse(Uint8Array.from(bytes), sizes)).toEqual(await parse(Uint8Array.from(bytes)));
      },
    ),
    { numRuns: 1000 },
  );
});

it.each([
  ['a,b"c\n1,2\n', 'a quote stands within', ['1', '2']],
  ['"a"b,c\n1,2\n', 'text after the closing quote', ['1', '2']],
])('tells the fault of %j and goes on with the next line', async (text, fault, next) => {
  const records = await parse(Buffer.from(text));
  expect(records[0]?.fault).toContain(fault);
  expect(records[1]).toMatchObject({ line: 2, fields: next, fault: null });
});

it('gives a quote up that does not end within 16 MiB', async () => {
  let given = 0;
  async function* endless() {
    yield Buffer.from('a,b\n1,"x');
    for (; given < 100; given++) yield Buffer.alloc(1 << 20, 'y\n');
  }
  const reading = async () => {
    for await (const records of csvRecords('f.csv', endless())) expect(records).toHaveLength(1);
  };
  await expect(reading()).rejects.toMatchObject({ kind: 'corrupt', where: 'f.csv, line 2' });
  expect(given).toBeLessThan(20);
});
