import type { TrinoEngine } from '../../../src/engine/trino.ts';
import { DemoFailure } from './project.ts';

/** A column by its name and its type as Trino writes it. */
interface Column {
  readonly name: string;
  readonly type: string;
}

type EngineName = 'Trino' | 'DuckDB';

/** 2^31 - 1: products of two remainders by it fit into a 64-bit integer, in which both engines reckon exactly. */
const PRIME = 2_147_483_647;
/** The largest below 2^40: the remainders of 8 million rows can be added up. */
const SUM_PRIME = 1_099_511_627_689;
/** Its powers are the columns' weights: no small change of one column makes up for one of another. */
const ROOT = 48_271;
/** Stands for null: no value of the demo's is it. */
const NULL_NUMBER = 1_618_033_988;
const MAX_BIGINT = '9223372036854775807';

/** How a value of a type becomes a whole number; `c` is the column. */
const NUMBERS: readonly {
  readonly type: RegExp;
  readonly number: (c: string, engine: EngineName) => string;
}[] = [
  { type: /^bigint$/, number: (c) => c },
  { type: /^(integer|boolean)$/, number: (c) => `CAST(${c} AS BIGINT)` },
  { type: /^date$/, number: (c) => `date_diff('day', DATE '1970-01-01', ${c})` },
  { type: /^timestamp\(6\)$/, number: timeNumber },
  // Averages, rounded to hundredths when they were written.
  { type: /^double$/, number: (c) => `CAST(round(${c} * 100) AS BIGINT)` },
  { type: /^varchar/, number: textNumber },
];

/** The columns of `namespace.table`. */
export async function columnsOf(server: TrinoEngine, table: string): Promise<readonly Column[]> {
  const [namespace, name] = table.split('.');
  const rows = await server.rows(
    `SELECT column_name, data_type FROM information_schema.columns
     WHERE table_schema = '${namespace}' AND table_name = '${name}' ORDER BY ordinal_position`,
  );
  return rows.map(([column, type]) => ({ name: String(column), type: String(type) }));
}

/**
 * A query of how many rows there are and of one whole number for all of them, whatever their order: the same in both engines. A value that is
 * changed, or sits in another row, changes the number; that it does not has a chance of about 1 in 2^31.
 *
 * @param from the table as the query names it
 */
export function digestSql(columns: readonly Column[], from: string, engine: EngineName): string {
  // In steps, and with cheap functions of whole texts: Trino takes an eighth of the time that one long expression of the texts' characters takes.
  const numbers = columns.map(
    ({ name, type }, i) => `coalesce(${numberSql(name, type, engine)} % ${PRIME}, ${NULL_NUMBER}) AS n${i}`,
  );
  let weight = 1;
  const terms = columns.map((_column, i) => {
    weight = (weight * ROOT) % PRIME;
    return `(n${i} + ${weight}) * n${i} % ${PRIME}`;
  });
  // The square ties a row's values together.
  return `SELECT count(*), CAST(sum(h * h % ${SUM_PRIME}) AS VARCHAR)
    FROM (SELECT (${terms.join(' + ')}) % ${PRIME} AS h FROM (SELECT ${numbers.join(', ')} FROM ${from}) AS values_) AS rows_`;
}

function numberSql(name: string, type: string, engine: EngineName): string {
  const found = NUMBERS.find((one) => one.type.test(type));
  if (found === undefined) throw new DemoFailure(`no number for a column of type ${type}`);
  return found.number(`"${name}"`, engine);
}

/** Milliseconds since 1970: the flights' times are whole minutes. */
function timeNumber(column: string, engine: EngineName): string {
  return engine === 'Trino'
    ? `date_diff('millisecond', TIMESTAMP '1970-01-01 00:00:00', ${column})`
    : `epoch_ms(${column})`;
}

/** The first eight bytes of the text's MD5, the least first, without the sign: an integer function of all of the text that both engines have. */
function textNumber(column: string, engine: EngineName): string {
  return engine === 'Trino'
    ? `bitwise_and(from_big_endian_64(reverse(substr(md5(to_utf8(${column})), 1, 8))), ${MAX_BIGINT})`
    : `CAST(md5_number(${column}) & ${MAX_BIGINT} AS BIGINT)`;
}
