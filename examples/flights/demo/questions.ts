import { DemoFailure, say, TAG } from './project.ts';
import { type Answer, type Engine, type Point, type Question, sameAnswer } from './two-engines.ts';

/** A question by its words. */
export interface Asked {
  readonly words: string;
  readonly question: Question;
  readonly point?: Point;
}

/** Widths of the table's columns, characters. */
const WORDS = 35;
const ANSWER = 44;

/** What an analyst asks of gold, and a steward of silver. */
export const QUESTIONS: readonly Asked[] = [
  {
    words: 'flights, minutes late, miles',
    question: () => 'SELECT count(*), sum(delay_minutes), sum(distance_miles) FROM gold.fct_flight',
  },
  {
    words: 'from where they leave latest',
    question: () => `SELECT a.city, round(avg(f.delay_minutes), 1)
      FROM gold.fct_flight f JOIN gold.dim_airport a ON a.airport_key = f.origin_key
      GROUP BY a.city HAVING count(*) > 20000 ORDER BY 2 DESC, 1 LIMIT 3`,
  },
  {
    words: 'delayed in January, March, June',
    question: () => `SELECT month(flight_date), sum(delayed_flights) FROM gold.mart_daily_delay
      WHERE month(flight_date) IN (1, 3, 6) GROUP BY 1 ORDER BY 1`,
  },
  {
    words: 'the busiest routes',
    question: () => `SELECT origin, destination, flights FROM gold.mart_route
      ORDER BY flights DESC, origin, destination LIMIT 2`,
  },
  {
    words: 'airports that changed since April',
    question: () => `SELECT count(*), min(iata), max(iata) FROM gold.dim_airport
      WHERE effective_from >= DATE '2001-04-01'`,
  },
  {
    words: 'one night in the cold tier',
    question: () => `SELECT origin, count(*), max(delay_minutes) FROM silver.flights
      WHERE flight_time >= TIMESTAMP '2001-01-05 22:00:00' AND flight_time < TIMESTAMP '2001-01-06 04:00:00'
      GROUP BY origin ORDER BY 2 DESC, 1 LIMIT 2`,
  },
  {
    words: 'corrected flights',
    question: () => 'SELECT count(*), min(flight_time) FROM silver.flights WHERE is_corrected',
  },
];

/** One question of the past, as it is now and as of three ways to name what was. */
export function timeTravel(snapshot: string, time: string): readonly Asked[] {
  const question: Question = (at) =>
    `SELECT count(*), sum(delay_minutes), max(delay_minutes) FROM ${at('silver.flights')}`;
  return [
    { words: 'silver.flights now', question },
    { words: `  by the tag "${TAG}"`, question, point: { tag: TAG } },
    { words: '  by the first snapshot’s id', question, point: { snapshot } },
    { words: '  by the time of day', question, point: { time } },
  ];
}

/** Asks both engines, draws the answers beside each other, and returns them. @throws DemoFailure where they differ */
export async function askBoth(
  asked: readonly Asked[],
  engines: readonly [Engine, Engine],
): Promise<readonly Answer[]> {
  const answers: Answer[] = [];
  say(`    ${'question'.padEnd(WORDS)}${engines.map(({ name }) => name.padEnd(ANSWER)).join('')}equal`);
  let different = 0;
  for (const { words, question, point } of asked) {
    const [one, other] = await Promise.all(engines.map((engine) => engine.ask(question, point)));
    if (one === undefined || other === undefined) throw new DemoFailure('an engine gave no answer');
    const equal = sameAnswer(one, other);
    if (!equal) different += 1;
    draw(words, one, other, equal ? 'yes' : 'NO');
    answers.push(one);
  }
  if (different > 0)
    throw new DemoFailure(`Trino and DuckDB differ in ${different} of ${asked.length} answers.`);
  return answers;
}

function draw(words: string, one: Answer, other: Answer, verdict: string): void {
  const lines = Math.max(one.length, other.length, 1);
  for (let i = 0; i < lines; i++) {
    const cells = [one[i], other[i]].map((row) => (row ?? ['']).map(shownValue).join('  ').padEnd(ANSWER));
    const first = i === 0;
    say(`    ${(first ? words : '').padEnd(WORDS)}${cells.join('')}${first ? verdict : ''}`.trimEnd());
  }
}

/** Long whole numbers in groups of three. */
function shownValue(text: string): string {
  return /^\d{4,}$/.test(text) ? text.replace(/\B(?=(\d{3})+$)/g, ',') : text;
}
