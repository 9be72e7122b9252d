import { TrinoStatement } from './trino-statement.ts';

/** What Trino answers, with its types: `decimal(12,2)`. */
export interface TypedAnswer {
  readonly types: readonly string[];
  /** As text (decimals in full), in no order. */
  readonly rows: readonly (readonly string[])[];
  readonly ms: number;
}

const byText = (a: readonly string[], b: readonly string[]): number =>
  a.join('\u0000') < b.join('\u0000') ? -1 : 1;

/** @param now ms */
export async function timedAnswer(sql: string, now: () => number): Promise<TypedAnswer> {
  const from = now();
  const statement = await TrinoStatement.start(sql);
  const rows = (await statement.rest()).map((row) => row.map(String));
  return { types: statement.columns.map(({ type }) => type), rows: rows.sort(byText), ms: now() - from };
}

/**
 * Where another engine's answer is another one; empty if they agree. Decimals agree to the last place of Trino's type: it rounds averages and quotients to it,
 * where others compute them in doubles.
 */
export function disagreements(
  trino: TypedAnswer,
  rows: readonly Readonly<Record<string, unknown>>[],
): readonly string[] {
  if (rows.length !== trino.rows.length) return [`${rows.length} rows, not ${trino.rows.length}`];
  const scales = trino.types.map(scaleOf);
  const exactFirst = (row: readonly string[]) =>
    [...row.filter((_, at) => scales[at] === null), ...row.filter((_, at) => scales[at] !== null)].join(
      '\u0000',
    );
  const inOrder = (all: readonly (readonly string[])[]) =>
    [...all].sort((a, b) => (exactFirst(a) < exactFirst(b) ? -1 : 1));
  const ours = inOrder(trino.rows);
  const theirs = inOrder(rows.map((row) => Object.values(row).map(String)));
  return ours.flatMap((row, r) =>
    row.flatMap((value, at) => {
      const other = theirs[r]?.[at] ?? '';
      const scale = scales[at] ?? null;
      const isSame =
        value === other ||
        (scale !== null && Math.abs(Number(value) - Number(other)) <= 1.001 * 10 ** -scale);
      return isSame ? [] : [`row ${r}: ${other}, not ${value}`];
    }),
  );
}

/** Digits after the point of a decimal; null for other types. */
function scaleOf(type: string): number | null {
  const found = /^decimal\(\d+, ?(\d+)\)$/.exec(type)?.[1];
  return found === undefined ? null : Number(found);
}
