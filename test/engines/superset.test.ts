import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lake, lakeEnvironment } from '../../stack/catalog.ts';
import { checkGold } from '../../stack/publish-gold.ts';
import type { StackSettings } from '../../stack/settings.ts';
import { Stack } from '../../stack/stack.ts';
import { supersetAccount } from '../../stack/superset.ts';
import { findChromium, keepScreenshot, openBrowser } from './browser.ts';
import { fillFlights, lakeRows, TAG, TAGGED } from './flights-on-stack.ts';
import { testedStack, withStack } from './stack.ts';
import { type ChartAnswer, chartAnswers, drawnCharts, signIn } from './superset-page.ts';

const CHARTS = 10;
const chromium = findChromium();

const withBrowser = chromium === null ? describe.skip : withStack;

withBrowser('Superset', () => {
  let settings: StackSettings;
  let stack: Stack;
  let address: string;
  let wasRunning = false;
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    settings = testedStack();
    stack = new Stack(settings);
    address = `http://127.0.0.1:${settings.ports.superset}`;
    await fillFlights(settings);
    wasRunning = (await stack.status()).some(({ name, state }) => name === 'superset' && state === 'running');
    await stack.up(['superset'], () => {});
    browser = await openBrowser(chromium ?? '');
    page = await browser.newPage({ viewport: { width: 1440, height: 2200 }, bypassCSP: true });
    page.setDefaultTimeout(200_000);
    await signIn(page, address, supersetAccount(settings));
  });

  afterAll(async () => {
    await browser?.close();
    if (!wasRunning) await stack.down(['superset'], () => {});
  });

  /** What an API of Superset's answers to the signed-in browser. */
  const get = async (path: string): Promise<{ status: number; body: string }> => {
    const answer = await page.request.get(`${address}${path}`, { timeout: 200_000 });
    return { status: answer.status(), body: await answer.text() };
  };

  it('finds nothing wrong in Gold by the checks in SQL', async () => {
    const checks = await checkGold(lakeEnvironment(settings));
    expect(checks.length).toBeGreaterThan(0);
    expect(checks.filter(({ failures }) => failures.length > 0)).toEqual([]);
  });

  it("draws the dashboard with the numbers of the lake's own SQL", async () => {
    const answers = chartAnswers(page);
    await page.goto(`${address}/superset/dashboard/flights/?standalone=1`);
    const charts = await drawnCharts(page, CHARTS);
    await keepScreenshot(page, 'superset-flights');
    expect(await page.locator('[role=alert]').allInnerTexts()).toEqual([]);
    const rowsOf = (name: string): ChartAnswer['rows'] => {
      const answer = answers.get(charts.get(name) ?? -1);
      expect(answer?.status, name).toBe(200);
      return answer?.rows ?? [];
    };
    const shown = (name: string) =>
      page.locator(`[data-test-chart-name="${name}"] .header-line`).first().textContent();

    const [total] = await lakeRows(
      settings,
      `SELECT sum(flights) AS flights, sum(delayed_flights) / sum(flights) AS share,
         sum(avg_delay_minutes * flights) / sum(flights) AS delay FROM gold.mart_daily_delay`,
    );
    const [routes] = await lakeRows(settings, 'SELECT count(*) AS n FROM gold.mart_route');
    expect(await shown('Flights')).toBe(Number(total?.['flights']).toLocaleString('en-US'));
    expect(await shown('Delayed')).toBe(`${(Number(total?.['share']) * 100).toFixed(1)}%`);
    expect(await shown('Average delay')).toBe(Number(total?.['delay']).toFixed(1));
    expect(await shown('Routes flown')).toBe(Number(routes?.['n']).toLocaleString('en-US'));

    const days = await lakeRows(
      settings,
      `SELECT CAST(epoch_ms(flight_date) AS DOUBLE) AS day, sum(avg_delay_minutes * flights) / sum(flights) AS delay
       FROM gold.mart_daily_delay GROUP BY flight_date ORDER BY 1`,
    );
    const line = rowsOf('Delay by day');
    expect(line.map((row) => row['flight_date'])).toEqual(days.map((row) => row['day']));
    days.forEach((row, index) => {
      expect(line[index]?.['avg_delay_minutes']).toBeCloseTo(Number(row['delay']), 9);
    });

    const airports = await lakeRows(
      settings,
      `SELECT CAST(sum(delayed_flights) AS INTEGER) AS n FROM gold.mart_daily_delay GROUP BY origin ORDER BY 1 DESC LIMIT 15`,
    );
    const bars = rowsOf('Airports with the most delayed flights').map((row) =>
      Number(row['delayed_flights']),
    );
    expect(bars.sort((a, b) => b - a)).toEqual(airports.map((row) => row['n']));

    const [first] = await lakeRows(
      settings,
      'SELECT origin, destination, CAST(flights AS INTEGER) AS flights FROM gold.mart_route ORDER BY flights DESC, origin, destination LIMIT 1',
    );
    expect(rowsOf('Routes')[0]).toMatchObject(first ?? {});
    const cells = await page
      .locator('[data-test-chart-name="Routes"] tbody tr')
      .first()
      .locator('td')
      .allInnerTexts();
    expect(cells.slice(0, 3)).toEqual([
      first?.['origin'],
      first?.['destination'],
      Number(first?.['flights']).toLocaleString('en-US'),
    ]);

    expect(byTier(rowsOf('Tables by tier'), 'table_name')).toEqual(await tierStatus());

    const versions = rowsOf('As reported and now');
    for (const [version, more] of [
      [TAG, ['--as-of', TAG]],
      ['now', []],
    ] as const) {
      const months = await lakeRows(
        settings,
        `SELECT strftime(flight_time, '%Y-%m') AS flight_month, CAST(count(*) AS INTEGER) AS flights,
           CAST(count(*) FILTER (WHERE is_delayed) AS INTEGER) AS delayed_flights
         FROM ${TAGGED} GROUP BY 1 ORDER BY 1`,
        more,
      );
      const drawn = versions
        .filter((row) => row['version'] === version)
        .map(({ flight_month, flights, delayed_flights }) => ({ flight_month, flights, delayed_flights }))
        .sort((a, b) => String(a.flight_month).localeCompare(String(b.flight_month)));
      expect(drawn).toEqual(months);
    }
  });

  it('previews partitioned tables, unpartitioned ones and views in SQL Lab', async () => {
    const found: unknown = JSON.parse((await get('/api/v1/database/?q=(columns:!(id,database_name))')).body);
    const [, id] = /"id":(\d+)/.exec(JSON.stringify(found)) ?? [];
    const refused: string[] = [];
    for (const [schema, table] of [
      ['gold', 'fct_flight'],
      ['gold', 'mart_daily_delay'],
      ['reports', 'flights'],
      ['reports', 'daily_delay'],
      ['reports', 'routes'],
    ]) {
      for (const path of ['table_metadata', 'table_metadata/extra']) {
        const answer = await get(
          `/api/v1/database/${id}/${path}/?catalog=lake&schema=${schema}&name=${table}`,
        );
        if (answer.status !== 200) refused.push(`${schema}.${table}: ${path}: ${answer.body}`);
        if (path !== 'table_metadata') continue;
        const { selectStar }: { selectStar?: string } = JSON.parse(answer.body);
        const preview = await lakeSelect(Number(id), String(selectStar));
        if (preview !== 200) refused.push(`${schema}.${table}: ${selectStar}`);
      }
    }
    expect(refused).toEqual([]);
  });

  /** Runs SQL as SQL Lab does; the status of the answer. */
  async function lakeSelect(database: number, sql: string): Promise<number> {
    const { result }: { result: string } = JSON.parse((await get('/api/v1/security/csrf_token/')).body);
    const answer = await page.request.post(`${address}/api/v1/sqllab/execute/`, {
      headers: { 'X-CSRFToken': result, Referer: address },
      data: { database_id: database, sql, runAsync: false, catalog: 'lake', schema: 'gold' },
      timeout: 200_000,
    });
    return answer.status();
  }

  /** Bytes by table and tier, as the lake counts them. Trino leaves out files without rows. */
  async function tierStatus(): Promise<Record<string, number>> {
    const status: Record<string, unknown>[] = JSON.parse(
      await lake(settings, ['--output', 'json', 'tier', 'status']),
    );
    const own = status.filter(
      (row) => /^(bronze|silver|gold)\./.test(String(row['table'])) && row['records'] !== 0,
    );
    return byTier(own, 'table');
  }
});

function byTier(rows: readonly Readonly<Record<string, unknown>>[], table: string): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const row of rows) {
    const key = `${row[table]} ${row['tier']}`;
    sums[key] = (sums[key] ?? 0) + Number(row['bytes']);
  }
  return sums;
}
