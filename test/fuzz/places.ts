import type { Dice } from './dice.ts';

/** The folders of a fuzzed lake: everything below `root`, only `allowed` may be written to. */
export interface Places {
  /** An absolute path. */
  readonly root: string;
  /** `file://` locations of the warehouse and the tiers. */
  readonly allowed: readonly string[];
}

export function placesIn(root: string): Places {
  return { root, allowed: [`file://${root}/lake/hot`, `file://${root}/lake/warm`] };
}

/** A location below an allowed one that nobody uses. */
export function ownLocation(dice: Dice, { allowed }: Places): string {
  return `${dice.pick(allowed)}/own-${dice.int(1_000_000)}`;
}

/** Locations that lie, or seem to lie, outside the allowed ones, in every encoding that a reader may undo. */
export function escapingLocation(dice: Dice, { root, allowed }: Places, others: readonly string[]): string {
  const base = dice.pick(allowed);
  const evil = dice.pick(['evil', 'lake', 'x', 'catalog.db', '']);
  const up = dice.pick([
    '..',
    '%2e%2e',
    '%2E%2E',
    '.%2e',
    '%2e.',
    '%252e%252e',
    '%25252e%25252e',
    '．．',
    '․․',
    '..;',
    '..%00',
    '..\u0000',
    ' ..',
    '.. ',
    '..\t',
    '\\..',
    '%5c..',
    '..%2f..',
    '..%5c..',
    '%c0%ae%c0%ae',
    '%uff0e%uff0e',
    '…',
  ]);
  const slash = dice.pick(['/', '//', '/./', '%2f', '%2F', '\\', '%5c', '／']);
  const path = base.slice('file://'.length);
  return dice.weighted<() => string>([
    [8, () => `${base}${slash}${up}${slash}${evil}`],
    [6, () => `${base}/t${slash}${up}${slash}${up}${slash}${evil}`],
    [3, () => `${base}/a/b/../../../${evil}`],
    [3, () => `${base}${evil}`],
    [2, () => `${base}`],
    [2, () => `${base}${dice.pick(['/', '//', '///', '/.', '/./', '/%2e', '?', '#', '*', '%20', ' '])}`],
    [3, () => `file://${root}/${evil}`],
    [2, () => `file://${root}/evil/t-${dice.int(100)}`],
    [1, () => `${path}/plain`],
    [1, () => `file:${path}/t`],
    [1, () => `file:/${path}/t`],
    [1, () => `FILE://${path}/t`],
    [1, () => `file://localhost${path}/t`],
    [1, () => `file://evil.example${path}/t`],
    [1, () => `file://${path}/t?x=${up}/${up}`],
    [1, () => `file://${path}/*`],
    [1, () => `s3://${dice.pick(['bucket', 'lake', '', '..', '*'])}/${evil}`],
    [1, () => `memory://${evil}`],
    [1, () => `http://169.254.169.254/${evil}`],
    [1, () => `jar:file:${path}!/t`],
    [
      1,
      () =>
        dice.pick([
          '',
          ' ',
          '/',
          '/etc/passwd',
          'file:///',
          'file://',
          'C:\\evil',
          '..',
          '.',
          'evil',
          '\u0000',
        ]),
    ],
    [
      4,
      () =>
        others.length === 0
          ? base
          : `${dice.pick(others)}${dice.pick(['', '/', '/data', '/metadata', '/x/..', '//', '/%2e'])}`,
    ],
    [1, () => `${base}/${'d/'.repeat(200)}${'../'.repeat(205)}${evil}`],
    [1, () => `${base}/${'x'.repeat(5000)}`],
  ])();
}

/**
 * An independent judge of a location: what each reading of it comes to, plain and percent-decoded as often as it can be, with dots and
 * backslashes resolved, has to lie below an allowed one.
 */
export function liesInside({ allowed }: Places, location: string): boolean {
  return readings(location).every((reading) => {
    const resolved = resolve(reading);
    return allowed.some((base) => resolved.startsWith(`${resolve(base)}/`));
  });
}

function readings(named: string): string[] {
  // Spellings of a path of this machine.
  const location = named.replace(/^(?:file:\/+(?!\/)|\/(?!\/))/i, 'file:///');
  const found = [location, location.normalize('NFKC')];
  for (let text = location, times = 0; times < 6; times++) {
    const decoded = text.replaceAll(/%([0-9a-fA-F]{2})/g, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
    if (decoded === text) break;
    found.push(decoded, decoded.normalize('NFKC'));
    text = decoded;
  }
  return found;
}

function resolve(location: string): string {
  const [, scheme = '', rest = location] = /^([a-zA-Z][a-zA-Z0-9+.-]*:\/\/)(.*)$/s.exec(location) ?? [];
  const parts: string[] = [];
  for (const part of rest.split(/[/\\]/)) {
    const plain = part.replaceAll('\u0000', ';').split(';')[0]?.trimEnd() ?? '';
    if (plain === '..') parts.pop();
    else if (plain !== '.' && plain !== '') parts.push(part);
  }
  return `${scheme}/${parts.join('/')}`;
}
