import type { ErrorKind } from '../../src/errors.ts';
import { LakeError } from '../../src/errors.ts';
import { stringifyJson } from '../../src/iceberg/json.ts';

/** Random numbers that a seed brings back. */
export interface Luck {
  /** From 0, below `below`. */
  integer(below: number): number;
  pick<T>(items: readonly T[]): T;
}

export function luckOf(seed: number): Luck {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const integer = (below: number): number => Math.floor(next() * below);
  return {
    integer,
    pick: (items) => {
      const item = items[integer(items.length)];
      if (item === undefined) throw new RangeError('nothing to pick from');
      return item;
    },
  };
}

/** What came of an input that is broken. */
export interface Outcome {
  /** What was thrown; absent where the input was taken. */
  readonly thrown?: unknown;
  /** What the input said, where it was taken. */
  readonly answer?: string;
}

/** An input that is broken, and what may come of it. */
export interface BrokenInput {
  readonly name: string;
  /** Gives it to Lakewarden. Resolves to what was read of it. */
  readonly feed: () => Promise<string | undefined>;
  /** What an error may be. */
  readonly kinds: readonly ErrorKind[];
  /** What its message has to name: a file, a line, a field. */
  readonly names?: string | RegExp;
  /**
   * Given where the damage may leave a valid input, or one that nothing in the format can tell from a valid one (a bit
   * flipped in a value, a file cut between two rows): then an answer is fine, if this says so.
   */
  readonly mayBe?: (answer: string | undefined) => boolean;
}

/** Feeds an input. */
export async function outcomeOf(input: BrokenInput): Promise<Outcome> {
  try {
    const answer = await input.feed();
    return answer === undefined ? {} : { answer };
  } catch (thrown) {
    return { thrown };
  }
}

/** What is wrong with how an input was met; null if nothing is. */
export function complaintOf(input: BrokenInput, { thrown, answer }: Outcome): string | null {
  if (thrown === undefined)
    return input.mayBe?.(answer) === true ? null : `was taken${answer === undefined ? '' : `: ${answer}`}`;
  if (!(thrown instanceof LakeError))
    return `threw ${thrown instanceof Error ? (thrown.stack ?? '').slice(0, 400) : String(thrown)}`;
  const said = [thrown.message, thrown.where ?? '', thrown.hint ?? ''].join('\n');
  if (!input.kinds.includes(thrown.kind)) return `is ${thrown.kind}: ${said.slice(0, 300)}`;
  return messageComplaint(said, thrown.message, input.names);
}

/** What is wrong with what an error says. */
export function messageComplaint(
  said: string,
  message: string,
  names: string | RegExp | undefined,
): string | null {
  if (message.trim().length < 8) return `says nothing: ${said}`;
  if (said.length > 6000) return `says too much: ${said.length} characters`;
  if (
    /\n\s+at .*(\(.*:\d+:\d+\)|\.ts:\d+:\d+)|\[object Object\]|\bundefined\b(?! type name)|Cannot read prop|is not a function/.test(
      said,
    )
  )
    return `speaks of our inside: ${said.slice(0, 300)}`;
  if (names === undefined) return null;
  const isNamed = typeof names === 'string' ? said.includes(names) : names.test(said);
  return isNamed ? null : `does not say where (${String(names)}): ${said.slice(0, 300)}`;
}

/** Bytes that were damaged, and how. */
export interface Damaged {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** The bytes cut at `count` random places. */
export function cuts(bytes: Uint8Array, count: number, luck: Luck): Damaged[] {
  return Array.from({ length: count }, () => {
    const at = luck.integer(bytes.length);
    return { name: `cut at byte ${at} of ${bytes.length}`, bytes: bytes.slice(0, at) };
  });
}

/** The bytes with one bit flipped, at `count` random places from `from` up to `to`. */
export function flips(
  bytes: Uint8Array,
  count: number,
  luck: Luck,
  [from, to]: readonly [number, number] = [0, bytes.length],
): Damaged[] {
  return Array.from({ length: count }, () => {
    const at = from + luck.integer(to - from);
    const bit = luck.integer(8);
    const flipped = bytes.slice();
    flipped[at] = (flipped[at] ?? 0) ^ (1 << bit);
    return { name: `bit ${bit} of byte ${at} flipped`, bytes: flipped };
  });
}

/** The bytes with `count` random runs of 16 bytes made of other ones. */
export function smears(bytes: Uint8Array, count: number, luck: Luck): Damaged[] {
  return Array.from({ length: count }, () => {
    const at = luck.integer(Math.max(1, bytes.length - 16));
    const smeared = bytes.slice();
    for (let i = at; i < Math.min(at + 16, bytes.length); i++) smeared[i] = luck.integer(256);
    return { name: `bytes ${at} to ${at + 16} random`, bytes: smeared };
  });
}

const text = (content: string): Uint8Array => new TextEncoder().encode(content);

/** A text in encodings that are not UTF-8, and as what is no text. */
export function wrongEncodings(content: string): Damaged[] {
  const middle = content.indexOf('\n', content.length / 2) + 1;
  const [before, after] = [text(content.slice(0, middle)), text(content.slice(middle))];
  const within = (bytes: number[]): Uint8Array => new Uint8Array([...before, ...bytes, ...after]);
  return [
    { name: 'UTF-16, little end first', bytes: new Uint8Array(Buffer.from(`\ufeff${content}`, 'utf16le')) },
    {
      name: 'UTF-16, big end first',
      bytes: new Uint8Array(Buffer.from(`\ufeff${content}`, 'utf16le').swap16()),
    },
    { name: 'a byte of Latin 1', bytes: within([0x4d, 0xfc, 0x0a]) },
    { name: 'an unfinished UTF-8 sequence', bytes: within([0xe2, 0x82, 0x0a]) },
    { name: 'a surrogate in UTF-8', bytes: within([0xed, 0xa0, 0x80, 0x0a]) },
    { name: 'overlong UTF-8', bytes: within([0xc0, 0xaf, 0x0a]) },
    { name: 'a gzip file', bytes: new Uint8Array([0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0]) },
  ];
}

/** A document with a part that is wrong. */
export interface WrongDocument {
  readonly name: string;
  readonly document: unknown;
}

const WRONG: Readonly<Record<string, readonly unknown[]>> = {
  string: [17, true, [], { deep: {} }],
  number: ['seventeen', [], {}, 1.5, -(2 ** 60)],
  bigint: ['seventeen', [], {}, null, 1.5],
  boolean: ['perhaps', [], 17],
  list: ['a list', 17, {}, [[null]]],
  object: ['an object', 17, [], true],
};

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'list';
  return value === null ? 'null' : typeof value;
}

/**
 * A document with every part in turn replaced by something of another type.
 *
 * @param free paths (keys joined by dots) whose parts may be of any type
 */
export function wrongTypes(document: unknown, free: RegExp = /^$/): WrongDocument[] {
  return parts(document)
    .filter(({ path }) => !free.test(path.join('.')))
    .flatMap(({ path, value }) =>
      (WRONG[kindOf(value)] ?? []).map((wrong) => ({
        name: `${path.join('.') || 'all of it'}: ${stringifyJson(wrong)}`,
        document: replaced(document, path, wrong),
      })),
    );
}

type Path = readonly (string | number)[];

function parts(value: unknown, path: Path = []): { path: Path; value: unknown }[] {
  const own = { path, value };
  if (Array.isArray(value)) return [own, ...value.flatMap((item, i) => parts(item, [...path, i]))];
  if (typeof value !== 'object' || value === null) return [own];
  return [own, ...Object.entries(value).flatMap(([key, item]) => parts(item, [...path, key]))];
}

function replaced(value: unknown, path: Path, wrong: unknown): unknown {
  const [head, ...rest] = path;
  if (head === undefined) return wrong;
  if (Array.isArray(value)) return value.map((item, i) => (i === head ? replaced(item, rest, wrong) : item));
  const entries = Object.entries(value as object);
  return Object.fromEntries(
    entries.map(([key, item]) => [key, key === head ? replaced(item, rest, wrong) : item]),
  );
}

/** At most `count` of the items, the same ones for the same seed. */
export function sample<T>(items: readonly T[], count: number, luck: Luck): T[] {
  const left = [...items];
  while (left.length > count) left.splice(luck.integer(left.length), 1);
  return left;
}
