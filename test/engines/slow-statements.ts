import { systemClock } from '../../src/clock.ts';
import { StatementError, TrinoStatement } from './trino-statement.ts';

/** A statement that was planned before a move and ends after it. */
export interface SlowStatement {
  readonly isOver: () => boolean;
  /** Rows changed, or Trino's error. */
  readonly outcome: Promise<number | StatementError>;
}

/** Starts a statement and returns once Trino has planned it, with the state of its tables that it saw then, and works on it. */
export async function startSlow(sql: string): Promise<SlowStatement> {
  const statement = await TrinoStatement.start(sql);
  let isOver = false;
  const finished = (async () => {
    try {
      const [[changed] = []] = await statement.rest();
      return Number(changed);
    } catch (error) {
      if (error instanceof StatementError) return error;
      throw error;
    } finally {
      isOver = true;
    }
  })();
  // Watched from here on, whoever awaits it later.
  finished.catch(() => {});
  while (!isOver && !['RUNNING', 'FINISHING'].includes(statement.stats.state)) await systemClock.sleep(20);
  return { isOver: () => isOver, outcome: finished };
}

/** Numbers 0 to 4, for which Trino works through 1.5 million rows `times` times. */
export const slowNumbers = (times: number): string =>
  `(SELECT n FROM (SELECT o.orderkey % 5 AS n, count(*) AS c FROM tpch.sf1.orders AS o CROSS JOIN UNNEST(sequence(1, ${times})) AS u(k) GROUP BY 1) WHERE c > 0)`;
