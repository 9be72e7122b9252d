/** What the kit says at its end, from the console launcher's tree. */
export interface RckTotals {
  readonly found: number;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly failures: readonly string[];
  /** Tests that gave up because an assumption does not hold of a REST catalog. */
  readonly aborted: readonly string[];
}

const FAILED = '✘';
const ABORTED = '■';

/**
 * Reads the launcher's report (`--details=tree --disable-ansi-colors`).
 *
 * @throws Error if it has no totals: the kit did not run to its end.
 */
export function readTotals(report: string): RckTotals {
  return {
    found: count(report, 'found'),
    passed: count(report, 'successful'),
    failed: count(report, 'failed'),
    skipped: count(report, 'skipped'),
    failures: marked(report, FAILED),
    aborted: marked(report, ABORTED),
  };
}

function count(report: string, what: string): number {
  const found = new RegExp(`^\\[\\s*(\\d+) tests ${what}\\s*\\]$`, 'm').exec(report);
  if (found === null) throw new Error(`the kit's report does not say how many tests were ${what}`);
  return Number(found[1]);
}

/** Names of the tests (not of the classes around them) that carry a mark. */
function marked(report: string, mark: string): string[] {
  const names = report.split('\n').flatMap((line) => {
    const found = /[├└]─ (.+?) ([✘■])( |$)/u.exec(line);
    return found?.[2] === mark && found[1] !== undefined ? [found[1].replace(/\(.*\)$/, '')] : [];
  });
  return [...new Set(names)].sort();
}
