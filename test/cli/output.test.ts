import { describe, expect, it } from 'vitest';
import { createOutput, toJson } from '../../src/cli/output.ts';
import { parseTime } from '../../src/cli/time-argument.ts';
import { bytesText } from '../../src/cli/units.ts';
import { systemClock } from '../../src/clock.ts';

function recorder() {
  const said: string[] = [];
  const sink = { write: (text: string) => void said.push(text), isTTY: false };
  const terminal = {
    stdout: sink,
    stderr: sink,
    stdinIsTTY: false,
    cwd: '/',
    env: {},
    clock: systemClock,
    ask: async () => '',
    stopRequested: async () => {},
  };
  return { terminal, text: () => said.join('') };
}

async function* failing(): AsyncIterable<object> {
  yield { a: 1 };
  throw new Error('the disk went away');
}

describe('output', () => {
  it('writes 64-bit integers as numbers only where a double is exact', () => {
    expect(toJson({ a: 5n, b: 9007199254740993n, c: -9223372036854775808n })).toBe(
      '{"a":5,"b":"9007199254740993","c":"-9223372036854775808"}',
    );
  });

  it('leaves no half JSON document behind when rows end in an error', async () => {
    const { terminal, text } = recorder();
    await expect(createOutput(terminal, 'json', 'info').rows(failing())).rejects.toThrow('the disk');
    expect(text()).toBe('');
  });

  it('keeps rows of JSON parseable, empty or not', async () => {
    for (const rows of [[], [{ a: 'x\ny' }], [{ a: 1 }, { a: null }]]) {
      const { terminal, text } = recorder();
      await createOutput(terminal, 'json', 'info').rows(rows);
      expect(JSON.parse(text())).toEqual(rows);
    }
  });

  it('aligns a text table and keeps every value', async () => {
    const { terminal, text } = recorder();
    await createOutput(terminal, 'text', 'info').rows([
      { name: 'a', n: 5 },
      { name: 'long name', n: 12345 },
    ]);
    expect(text()).toBe('name           n\na              5\nlong name  12345\n');
  });
});

describe('arguments and units', () => {
  it('takes a time without a zone as UTC', () => {
    expect(parseTime('2001-07-01')).toBe(Date.UTC(2001, 6, 1));
    expect(parseTime('2001-07-01T12:30')).toBe(Date.UTC(2001, 6, 1, 12, 30));
    expect(parseTime('2001-07-01 12:30:15Z')).toBe(Date.UTC(2001, 6, 1, 12, 30, 15));
    expect(parseTime('2001-07-01T02:00+02:00')).toBe(Date.UTC(2001, 6, 1));
    for (const bad of ['', '2001', '2001-13-01', '01.07.2001', 'now'])
      expect(() => parseTime(bad)).toThrow(/2001-07-01/);
  });

  it('never shows a thousand of a unit', () => {
    expect([0, 999, 1000, 99_960, 999_499, 999_500, 1e9].map(bytesText)).toEqual([
      '0 B',
      '999 B',
      '1.0 KB',
      '100 KB',
      '999 KB',
      '1.0 MB',
      '1.0 GB',
    ]);
  });
});
