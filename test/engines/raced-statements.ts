/** The days, and with them the partitions, of the raced table. */
export const DAYS = ['2001-01-01', '2001-01-02', '2001-01-03', '2001-01-04', '2001-01-05'] as const;

/** A table partitioned by day, with columns of which each has a text that Trino and DuckDB write alike. */
export const COLUMNS =
  'id bigint, day date, amount decimal(12,2), label varchar, seen timestamp(6), good boolean';

/** A row as text, the same in Trino and in DuckDB: all columns, nulls told apart from anything else. */
export const ROW_TEXT = ['id', 'day', 'amount', 'label', 'seen', 'good']
  .map((column) => `coalesce(CAST(${column} AS varchar), '<null>')`)
  .join(" || '|' || ");

export const KINDS = ['insert', 'delete', 'update', 'merge', 'optimize'] as const;
export type Kind = (typeof KINDS)[number];

export interface RacedStatement {
  readonly kind: Kind;
  /** In the SQL that Trino and DuckDB share. The table is written `{table}`. */
  readonly sql: string;
}

/** Rows of one statement at most. */
const MOST_ROWS = 30;
/** Ids below this are taken at random by what changes rows: a small range, so that it finds some. */
const IDS = 400;

const anyOf = <T>(random: () => number, from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
const upTo = (random: () => number, limit: number): number => Math.floor(random() * limit);

/** One row as SQL: what a row holds follows from its id and a number; every seventh has nulls. */
function rowSql(id: number, day: string, n: number): string {
  const rest =
    (id + n) % 7 === 0
      ? 'NULL, NULL, NULL, NULL'
      : `CAST(${n * 7 + id}.${String(id % 100).padStart(2, '0')} AS decimal(12,2)), 'n${n}', TIMESTAMP '${day} 12:00:${String(id % 60).padStart(2, '0')}.000001', ${id % 2 === 0}`;
  return `(${id}, DATE '${day}', ${rest})`;
}

/** `count` rows of random ids, each id once, all of one day. */
function rowsSql(random: () => number, count: number, day: string, n: number): string {
  const ids = new Set(Array.from({ length: count }, () => upTo(random, IDS)));
  return [...ids].map((id) => rowSql(id, day, n)).join(', ');
}

/** Rows to begin with: some of every day. */
export function firstRows(random: () => number, n: number): string {
  const rows = DAYS.map((day) => rowsSql(random, MOST_ROWS, day, n));
  return `INSERT INTO {table} VALUES ${rows.join(', ')}`;
}

/** The `n`th statement of a race, of a kind. */
export function racedStatement(random: () => number, kind: Kind, n: number): RacedStatement {
  const day = anyOf(random, DAYS);
  const low = upTo(random, IDS);
  const some = `id BETWEEN ${low} AND ${low + 20 + upTo(random, 60)}`;
  const rows = () => rowsSql(random, 1 + upTo(random, MOST_ROWS), day, n);
  const statements: Record<Kind, () => string> = {
    insert: () => (random() < 0.3 ? firstRows(random, n) : `INSERT INTO {table} VALUES ${rows()}`),
    // A whole partition goes without a look at its files.
    delete: () => `DELETE FROM {table} WHERE day = DATE '${day}'${random() < 0.15 ? '' : ` AND ${some}`}`,
    update: () => {
      const other = random() < 0.3 ? `, day = DATE '${anyOf(random, DAYS)}'` : '';
      return `UPDATE {table} SET label = 'u${n}', amount = coalesce(amount, 0.00) + 1.25${other} WHERE day = DATE '${day}' AND ${some}`;
    },
    merge: () =>
      `MERGE INTO {table} AS t USING (VALUES ${rows()}) AS s(id, day, amount, label, seen, good) ON t.id = s.id AND t.day = s.day
WHEN MATCHED AND t.id % 3 = 0 THEN DELETE
WHEN MATCHED THEN UPDATE SET amount = s.amount, label = s.label
WHEN NOT MATCHED THEN INSERT (id, day, amount, label, seen, good) VALUES (s.id, s.day, s.amount, s.label, s.seen, s.good)`,
    optimize: () => `ALTER TABLE {table} EXECUTE optimize WHERE day = DATE '${day}'`,
  };
  return { kind, sql: statements[kind]() };
}
