import type { TrinoEngine } from '../../../src/engine/trino.ts';
import { DemoFailure } from './project.ts';

/** A column by its name and its type as Trino writes it. */
interface Column {
  readonly name: string;
  readonly type: string;
}

type EngineName = 'Trino' | 'DuckDB';

/** A row's values are mixed to a whole number below this prime; its square keeps a sum from hiding values that changed places. */
const PRIME = 1_000_003;
const CHARACTERS = 3;

/** How a value of a type becomes a whole number; `c` is the column. */
const NUMBERS: readonly {
  readonly type: RegExp;
  readonly number: (c: string, engine: EngineName) => string;
}[] = [
  { type: /^(bigint|integer)$/, number: (c) => c },
  { type: /^boolean$/, number: (c) => `CASE WHEN ${c} THEN 1 ELSE 0 END` },
  { type: /^date$/, number: (c) => `date_diff('day', DATE '1970-01-01', ${c})` },
  { type: /^timestamp\(6\)$/, number: (c) => `date_diff('second', TIMESTAMP '1970-01-01 00:00:00', ${c})` },
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

/** SQL of one whole number for all of a table's rows, whatever their order: the same in both engines. */
export function digestSql(columns: readonly Column[], engine: EngineName): string {
  const terms = columns.map(({ name, type }, i) => {
    const found = NUMBERS.find((one) => one.type.test(type));
    if (found === undefined) throw new DemoFailure(`no number for a column of type ${type}`);
    return `${2 * i + 3} * coalesce(${found.number(`"${name}"`, engine)}, -1)`;
  });
  const mixed = `CAST(${terms.join(' + ')} AS BIGINT) % ${PRIME}`;
  return `CAST(sum((${mixed}) * (${mixed})) AS VARCHAR)`;
}

/** The length and the first characters: of an airport's code all, of a key enough. */
function textNumber(column: string, engine: EngineName): string {
  const character = (i: number) => {
    const one = `nullif(substr(${column}, ${i}, 1), '')`;
    const point = engine === 'Trino' ? `codepoint(CAST(${one} AS VARCHAR(1)))` : `unicode(${one})`;
    return `${i * 7} * coalesce(${point}, 0)`;
  };
  const places = Array.from({ length: CHARACTERS }, (_, i) => character(i + 1));
  return `(length(${column}) + ${places.join(' + ')})`;
}
