import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';

/** What Grafana 11 takes of a dashboard's JSON, as far as this one uses it; keys that Grafana does not know are errors. */
const datasource = z.strictObject({ type: z.literal('prometheus'), uid: z.literal('${datasource}') });
const gridPos = z.strictObject({
  h: z.int().min(1),
  w: z.int().min(1).max(24),
  x: z.int().min(0).max(23),
  y: z.int().min(0),
});
const target = z.strictObject({
  refId: z.string().regex(/^[A-Z]$/),
  datasource,
  expr: z.string().min(1),
  legendFormat: z.string(),
  editorMode: z.literal('code'),
  range: z.boolean(),
  instant: z.boolean(),
  format: z.enum(['time_series', 'table', 'heatmap']).optional(),
});
const defaults = z.strictObject({
  unit: z.string().min(1),
  color: z.strictObject({ mode: z.enum(['palette-classic', 'thresholds']) }),
  mappings: z.array(z.never()),
  thresholds: z.strictObject({
    mode: z.literal('absolute'),
    steps: z.array(z.strictObject({ color: z.string(), value: z.number().nullable() })).min(1),
  }),
  min: z.number().optional(),
  custom: z.record(z.string(), z.unknown()).optional(),
});
const panel = z.strictObject({
  id: z.int(),
  type: z.enum(['timeseries', 'stat', 'bargauge', 'table']),
  title: z.string().min(1),
  description: z.string().min(1),
  datasource,
  gridPos,
  fieldConfig: z.strictObject({ defaults, overrides: z.array(z.never()) }),
  options: z.record(z.string(), z.unknown()),
  targets: z.array(target).min(1),
});
const row = z.strictObject({
  id: z.int(),
  type: z.literal('row'),
  title: z.string().min(1),
  collapsed: z.literal(false),
  gridPos,
  panels: z.array(z.never()),
});
export const dashboardSchema = z.looseObject({
  uid: z.string().regex(/^[\w-]{1,40}$/),
  title: z.string().min(1),
  schemaVersion: z.int().min(36),
  editable: z.literal(false),
  time: z.strictObject({ from: z.string(), to: z.string() }),
  refresh: z.string().regex(/^\d+[smh]$/),
  templating: z.strictObject({ list: z.array(z.looseObject({ name: z.string(), type: z.string() })) }),
  panels: z.array(z.discriminatedUnion('type', [panel, row])),
});

export type Panel = z.infer<typeof panel>;

/** The dashboard's file as it is. */
export function dashboardJson(): unknown {
  return JSON.parse(
    readFileSync(join(import.meta.dirname, '../../grafana/dashboards/lakewarden.json'), 'utf8'),
  );
}

export interface PanelQuery {
  readonly panel: string;
  readonly refId: string;
  readonly expr: string;
}

/** Every query of every panel, with the variables' values for all tables and a dashboard that is scraped each second. */
export function panelQueries(): readonly PanelQuery[] {
  const { panels } = dashboardSchema.parse(dashboardJson());
  return panels.flatMap((one) => {
    if (one.type === 'row') return [];
    return one.targets.map(({ refId, expr }) => ({
      panel: one.title,
      refId,
      expr: expr.replaceAll('$table', '.+').replaceAll('$__rate_interval', '10m'),
    }));
  });
}
