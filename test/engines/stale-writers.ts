import { trinoRows } from './trino-statement.ts';

/** A row of the table as text, the same in Trino and in DuckDB. */
export const DAY_TEXT =
  "CAST(day AS varchar) || '|' || CAST(id AS varchar) || '|' || CAST(amount AS varchar)";

/** Makes a table with ten rows, ids 0 to 9 and the amount 1, in each of three partitions. */
export async function createDays(table: string): Promise<void> {
  await trinoRows(
    `CREATE TABLE ${table} (id bigint, day date, amount decimal(12,2)) WITH (partitioning = ARRAY['day'])`,
  );
  await trinoRows(`INSERT INTO ${table} SELECT id, date_add('day', d, DATE '2001-01-01'), 1.00
    FROM UNNEST(sequence(0, 9)) AS a(id) CROSS JOIN UNNEST(sequence(0, 2)) AS b(d)`);
}

/**
 * An INSERT, and a DELETE, an UPDATE and a MERGE that each write position deletes on the file of one partition.
 *
 * @param numbers a relation of one column, the numbers 0 to 4
 */
export function staleStatements(table: string, numbers: string): readonly string[] {
  const some = `id IN (SELECT n FROM ${numbers} AS s(n))`;
  return [
    `INSERT INTO ${table} SELECT n + 100, DATE '2001-01-02', 4.00 FROM ${numbers} AS s(n)`,
    `DELETE FROM ${table} WHERE day = DATE '2001-01-01' AND ${some}`,
    `UPDATE ${table} SET amount = 2.00 WHERE day = DATE '2001-01-02' AND ${some}`,
    `MERGE INTO ${table} AS t USING (SELECT n * 3 AS n FROM ${numbers} AS s(n)) AS s
      ON t.day = DATE '2001-01-03' AND t.id = s.n
      WHEN MATCHED THEN UPDATE SET amount = 3.00
      WHEN NOT MATCHED THEN INSERT (id, day, amount) VALUES (s.n, DATE '2001-01-03', 5.00)`,
  ];
}

/** What the table holds once the INSERT has gone through, and where told the others too; sorted. */
export function expectedDays({ isChanged }: { readonly isChanged: boolean }): string[] {
  const ids = Array.from({ length: 10 }, (_, id) => id);
  const first = ids.filter((id) => !isChanged || id > 4).map((id) => `2001-01-01|${id}|1.00`);
  const second = ids.map((id) => `2001-01-02|${id}|${isChanged && id < 5 ? '2.00' : '1.00'}`);
  const inserted = [100, 101, 102, 103, 104].map((id) => `2001-01-02|${id}|4.00`);
  const third = ids.map((id) => `2001-01-03|${id}|${isChanged && id % 3 === 0 ? '3.00' : '1.00'}`);
  return [...first, ...second, ...inserted, ...third, ...(isChanged ? ['2001-01-03|12|5.00'] : [])].sort();
}

export async function daysByTrino(table: string): Promise<string[]> {
  return (await trinoRows(`SELECT ${DAY_TEXT} FROM ${table}`)).map(([text]) => String(text)).sort();
}
