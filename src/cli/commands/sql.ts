import { resolve } from 'node:path';
import { Option } from 'commander';
import { isCancelled } from '../../engine/trino-error.ts';
import { LakeError } from '../../errors.ts';
import { readTextFile } from '../../project/text-file.ts';
import type { CommandFactory } from '../command.ts';
import { withExamples } from '../command.ts';
import { openQueryEngine } from '../query-engine.ts';
import type { Session } from '../session.ts';

interface SqlOptions {
  readonly asOf?: string;
  readonly file?: string;
  readonly engine: 'duckdb' | 'trino';
}

/** `lake sql QUERY`: a question to the tables, now or as of a snapshot, time, branch or tag. */
export const addSql: CommandFactory = (parent, run) => {
  const command = parent
    .command('sql')
    .description(
      'ask the tables a question in SQL: one SELECT. It may read local files (read_csv, read_parquet) with your own rights, and writes nothing',
    )
    .argument('[query]', 'the query; tables are called by namespace.name')
    .option('--as-of <point>', 'read every table as of a snapshot id, a time, a branch or a tag')
    .addOption(
      new Option(
        '--engine <engine>',
        'which engine answers: the embedded one, or the Trino server that lake.yaml names',
      )
        .choices(['duckdb', 'trino'])
        .default('duckdb'),
    )
    .option('-f, --file <file>', 'read the query from a file')
    .action((query: string | undefined, options: SqlOptions) =>
      run((session) => ask(session, query, options)),
    );
  withExamples(command, [
    ['lake sql "SELECT count(*) AS flights FROM gold.fct_flight"', 'rows for people'],
    [
      'lake sql --as-of 2001-06-01 --output json "SELECT * FROM gold.dim_airport LIMIT 3"',
      'the past, as JSON',
    ],
    [
      'lake sql --engine trino "SELECT date, avg(delay) FROM gold.fct_flight GROUP BY 1 ORDER BY 1"',
      "Trino's answer",
    ],
  ]);
};

async function ask(session: Session, query: string | undefined, options: SqlOptions): Promise<void> {
  const text = await queryText(session, query, options.file);
  if (options.engine === 'trino') return askTrino(session, text, options.asOf);
  const lake = await session.lake();
  const engine = await openQueryEngine(lake, text, options.asOf);
  try {
    await session.output.rows(engine.rows(text));
  } finally {
    await engine.close();
  }
}

async function askTrino(session: Session, text: string, asOf: string | undefined): Promise<void> {
  const { openTrino, trinoQuery } = await import('../trino-query.ts');
  const trino = await openTrino(session);
  // A query that nobody waits for any more would go on at the server.
  void session.terminal.stopRequested().then(() => trino.cancel());
  try {
    const query = await trinoQuery(() => session.lake(), trino, text, asOf);
    await session.output.rows(trino.objects(query));
  } catch (error) {
    // `lake sql … | head`: the reader has seen enough, and the query was cancelled for that.
    if (!session.terminal.stdout.isClosed || !isCancelled(error)) throw error;
  }
}

async function queryText(
  session: Session,
  query: string | undefined,
  file: string | undefined,
): Promise<string> {
  if ((query === undefined) === (file === undefined)) {
    throw new LakeError('usage', 'There is no query, or there are two.', {
      hint: 'Write it in quotes, lake sql "SELECT …", or name a file, lake sql --file question.sql.',
    });
  }
  const given = query ?? (await readTextFile(resolve(session.directory, file ?? ''), file ?? ''));
  const text = given.trim().replace(/(\s*;)+$/, '');
  if (text === '') {
    throw new LakeError('usage', 'The query is empty.', {
      hint: 'Write one SELECT, such as: lake sql "SELECT 1".',
    });
  }
  return text;
}
