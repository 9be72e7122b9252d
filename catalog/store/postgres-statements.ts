import type { QueryConfig } from 'pg';
import type { Row, SqlValue } from './sql-database.ts';
import { requireStorable } from './stored-text.ts';

/** Statements that a connection keeps prepared; what comes beyond is planned each time. */
const MOST_PREPARED = 500;

interface Statement {
  readonly text: string;
  /** Names a prepared statement; each connection prepares it when it first meets it. */
  readonly name?: string;
}

/** What can run a statement: a connection, or a pool of them. */
export interface Queryable {
  query(config: QueryConfig): Promise<{ rows: unknown[]; rowCount: number | null }>;
}

const known = new Map<string, Statement>();

/** A statement with `?` for values as PostgreSQL has it, with `$1`. */
function statementOf(sql: string): Statement {
  const found = known.get(sql);
  if (found !== undefined) return found;
  let count = 0;
  const text = sql.replaceAll(/\?(\d*)/g, (_, number: string) =>
    number === '' ? `$${++count}` : `$${number}`,
  );
  if (known.size >= MOST_PREPARED) return { text };
  const statement = { text, name: `lake_${known.size}` };
  known.set(sql, statement);
  return statement;
}

/** Runs one statement. Errors: as pg has them; `invalid-argument` for text that cannot be kept. */
export async function runStatement(
  on: Queryable,
  sql: string,
  values: readonly SqlValue[],
): Promise<{ readonly rows: readonly Row[]; readonly changed: number }> {
  requireStorable(values);
  const { rows, rowCount } = await on.query({ ...statementOf(sql), values: [...values] });
  return { rows: rows.filter(isRow), changed: rowCount ?? 0 };
}

const isRow = (row: unknown): row is Row => typeof row === 'object' && row !== null;
