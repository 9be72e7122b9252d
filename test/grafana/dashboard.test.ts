import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { dashboardJson, dashboardSchema, panelQueries } from './dashboard.ts';

const ROOT = join(import.meta.dirname, '../..');
const dashboard = dashboardSchema.parse(dashboardJson());

/** Names as `@grafana/data` has them, of those that this dashboard uses. */
const UNITS = new Set(['short', 's', 'bytes', 'ops', 'percentunit']);

describe('the dashboard', () => {
  it('gives every panel a unit that Grafana knows, a description and an id of its own', () => {
    const panels = dashboard.panels.filter((panel) => panel.type !== 'row');
    expect(panels.length).toBeGreaterThan(25);
    for (const { title, fieldConfig } of panels) expect(UNITS, title).toContain(fieldConfig.defaults.unit);
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
    expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length);
    for (const { title, targets } of panels)
      expect(new Set(targets.map(({ refId }) => refId)).size, title).toBe(targets.length);
  });

  it('lets no panel lie over another one or beyond the edge', () => {
    const taken = new Map<string, string>();
    for (const { title, gridPos } of dashboard.panels) {
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(taken.get(`${x} ${y}`), `${title} lies over it`).toBeUndefined();
          taken.set(`${x} ${y}`, title);
        }
      }
    }
  });

  it('uses the variables that it declares, and the data source that is provisioned', () => {
    const declared = dashboard.templating.list.map(({ name }) => name);
    const used = new Set(
      [...JSON.stringify(dashboard).matchAll(/\$\{?([a-z_]+)/g)].map(([, name = '']) => name),
    );
    expect([...used].filter((name) => !name.startsWith('__')).sort()).toEqual([...declared].sort());
    const provisioned = parse(
      readFileSync(join(ROOT, 'grafana/provisioning/datasources/prometheus.yml'), 'utf8'),
    ) as { datasources: { uid: string; jsonData: { timeInterval: string } }[] };
    const source = dashboard.templating.list.find(({ type }) => type === 'datasource');
    expect(source).toMatchObject({ current: { value: provisioned.datasources[0]?.uid } });
    const scraped = readFileSync(join(ROOT, 'prometheus/prometheus.yml'), 'utf8');
    expect(scraped).toContain(`scrape_interval: ${provisioned.datasources[0]?.jsonData.timeInterval}`);
  });

  it('explains every metric that it, the rules or the exporter name', () => {
    const page = readFileSync(join(ROOT, 'docs/monitoring.md'), 'utf8');
    const operations = readFileSync(join(ROOT, 'docs/operations.md'), 'utf8');
    const rules = readFileSync(join(ROOT, 'prometheus/rules/lake.rules.yml'), 'utf8');
    const named = `${panelQueries()
      .map(({ expr }) => expr)
      .join('\n')}\n${rules}`;
    const metrics = new Set(named.match(/\b(lakewarden|trino)_\w+/g));
    expect(metrics.size).toBeGreaterThan(30);
    for (const metric of metrics) {
      const text = metric.startsWith('lakewarden_catalog_') ? operations : page;
      expect(text, metric).toContain(`\`${metric.replace(/_bucket$/, '')}\``);
    }
    for (const [, name = ''] of rules.matchAll(/alert: (\w+)/g)) {
      expect(page, name).toContain(`### ${name}`);
      expect(rules).toContain(`docs/monitoring.md#${name.toLowerCase()}`);
    }
  });

  it('stands where the provider looks for it', () => {
    expect(readdirSync(join(ROOT, 'grafana/dashboards'))).toEqual(['lakewarden.json']);
  });
});
