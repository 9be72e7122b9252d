import type { Page } from 'playwright-core';

/** What one chart of a dashboard asked for and got. */
export interface ChartAnswer {
  readonly status: number;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

/** Signs in by the form. */
export async function signIn(
  page: Page,
  address: string,
  account: { readonly user: string; readonly password: string },
): Promise<void> {
  await page.goto(`${address}/login/`);
  await page.locator('[data-test=username-input]').fill(account.user);
  await page.locator('[data-test=password-input]').fill(account.password);
  await page.locator('[data-test=login-button]').click();
  await page.waitForURL((url) => !url.pathname.startsWith('/login'));
}

/** Keeps what the server answers to charts, by the chart's number. */
export function chartAnswers(page: Page): ReadonlyMap<number, ChartAnswer> {
  const answers = new Map<number, ChartAnswer>();
  page.on('response', async (response) => {
    if (!response.url().includes('/api/v1/chart/data')) return;
    const asked: { form_data?: { slice_id?: number } } = response.request().postDataJSON();
    const told: { result?: { data: Record<string, unknown>[] }[] } = await response.json();
    answers.set(Number(asked.form_data?.slice_id), {
      status: response.status(),
      rows: told.result?.[0]?.data ?? [],
    });
  });
  return answers;
}

/** In the page: true once there are as many charts, each with something drawn, or an error, and none loading. */
const ALL_DRAWN = `(count) => {
  const charts = [...document.querySelectorAll('[data-test-chart-id]')];
  return charts.length >= count && charts.every((chart) =>
    chart.querySelector('[data-test=loading-indicator], .loading') === null &&
    chart.querySelector('canvas, table, .header-line, [role=alert]') !== null);
}`;

/** Waits until every chart of the dashboard has drawn something or failed. The charts' numbers, by their names. */
export async function drawnCharts(page: Page, count: number): Promise<ReadonlyMap<string, number>> {
  const charts = page.locator('[data-test-chart-id]');
  await page.waitForFunction(`(${ALL_DRAWN})(${count})`);
  const named = await charts.evaluateAll((all) =>
    all.map(
      (chart) =>
        [
          chart.getAttribute('data-test-chart-name') ?? '',
          Number(chart.getAttribute('data-test-chart-id')),
        ] as const,
    ),
  );
  return new Map(named);
}
