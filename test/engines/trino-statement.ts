import { testedStack } from './stack.ts';

/** What Trino tells of a statement with each page. */
interface StatementPage {
  readonly id: string;
  readonly nextUri?: string;
  readonly columns?: readonly { readonly name: string; readonly type: string }[];
  readonly data?: readonly (readonly unknown[])[];
  readonly error?: { readonly errorName: string; readonly errorType: string; readonly message: string };
  readonly stats: {
    readonly state: string;
    readonly completedSplits: number;
    readonly totalSplits: number;
    readonly processedRows: number;
  };
}

/** An error that Trino ended a statement with. */
export class StatementError extends Error {
  readonly queryId: string;
  readonly errorName: string;

  constructor(queryId: string, errorName: string, message: string) {
    super(`${errorName}: ${message}`);
    this.queryId = queryId;
    this.errorName = errorName;
  }
}

/**
 * One statement on the stack's Trino, page by page: as slow a reader as a test wants, whose id is known (it stands as `trino_query_id` in the summary of a snapshot that
 * the statement makes). Integers beyond a double's are to be cast to text in the SQL.
 */
export class TrinoStatement {
  #page: StatementPage;
  #columns: NonNullable<StatementPage['columns']> = [];

  private constructor(page: StatementPage) {
    this.#page = page;
  }

  /** Sends it; Trino starts on it with the first `next`. */
  static async start(sql: string, session: Readonly<Record<string, string>> = {}): Promise<TrinoStatement> {
    const headers = { 'X-Trino-User': 'tests', 'X-Trino-Catalog': 'lake', ...session };
    const address = `http://127.0.0.1:${testedStack().ports.trino}/v1/statement`;
    return new TrinoStatement(await asPage(await fetch(address, { method: 'POST', body: sql, headers })));
  }

  get id(): string {
    return this.#page.id;
  }

  /** Known once there are rows. */
  get columns(): NonNullable<StatementPage['columns']> {
    return this.#columns;
  }

  get stats(): StatementPage['stats'] {
    return this.#page.stats;
  }

  /** The next rows, perhaps none; null after the last. @throws StatementError */
  async next(): Promise<readonly (readonly unknown[])[] | null> {
    const { id, nextUri } = this.#page;
    if (nextUri === undefined) return null;
    this.#page = await asPage(await fetch(nextUri));
    const { error, data = [], columns } = this.#page;
    this.#columns = columns ?? this.#columns;
    if (error !== undefined) throw new StatementError(id, error.errorName, error.message);
    return data;
  }

  /** All rows that are still to come. @throws StatementError */
  async rest(): Promise<(readonly unknown[])[]> {
    const rows: (readonly unknown[])[] = [];
    for (let page = await this.next(); page !== null; page = await this.next()) rows.push(...page);
    return rows;
  }
}

async function asPage(answer: Response): Promise<StatementPage> {
  if (!answer.ok) throw new Error(`Trino answered ${answer.status}: ${await answer.text()}`);
  return (await answer.json()) as StatementPage;
}

/** All rows of a statement. @throws StatementError */
export async function trinoRows(sql: string): Promise<(readonly unknown[])[]> {
  return (await TrinoStatement.start(sql)).rest();
}
