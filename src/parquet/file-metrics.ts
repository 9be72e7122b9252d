import type { DuckDbEngine } from '../engine/duckdb.ts';
import { icebergValue } from '../engine/iceberg-values.ts';
import { quoteName, quoteText } from '../engine/sql-text.ts';
import type { DataFile } from '../iceberg/manifest.ts';
import { type MetricsMode, truncateLowerBound, truncateUpperBound } from '../iceberg/metrics.ts';
import type { PrimitiveValue } from '../iceberg/types.ts';
import { encodeValue } from '../iceberg/values.ts';
import { type ColumnStats, widenZero } from './column-stats.ts';
import type { WrittenFile } from './copy.ts';

/** How much to keep of a column's metrics, by its dotted name. */
export type ModeOf = (column: string) => MetricsMode;

type Metrics = Pick<
  DataFile,
  'columnSizes' | 'valueCounts' | 'nullValueCounts' | 'nanValueCounts' | 'lowerBounds' | 'upperBounds'
>;

const isFloat = (column: ColumnStats): boolean => column.type === 'float' || column.type === 'double';

/** True if bounds or counts that the footer does not tell must be read from the file: NaN counts, bounds of long texts. */
function needsRead(column: ColumnStats): boolean {
  if (column.repeated) return false;
  if (isFloat(column)) return column.hasNan;
  return (
    (column.type === 'string' || column.type === 'binary') &&
    column.min === undefined &&
    column.nullCount < column.valueCount
  );
}

const columnSql = (column: ColumnStats): string => column.path.map(quoteName).join('.');

interface ReadStats {
  readonly nans: number;
  readonly min: PrimitiveValue | null;
  readonly max: PrimitiveValue | null;
}

async function readStats(
  engine: DuckDbEngine,
  file: WrittenFile,
  columns: readonly ColumnStats[],
): Promise<Map<number, ReadStats>> {
  if (columns.length === 0) return new Map();
  const parts = columns.flatMap((column, i) => {
    const sql = columnSql(column);
    const nan = isFloat(column) ? `isnan(${sql})` : 'false';
    return [
      `count(*) FILTER (${nan}) AS nan${i}`,
      `min(${sql}) FILTER (NOT ${nan}) AS min${i}`,
      `max(${sql}) FILTER (NOT ${nan}) AS max${i}`,
    ];
  });
  const [row] = await engine.raw(
    `SELECT ${parts.join(', ')} FROM read_parquet([${quoteText(file.path)}], hive_partitioning = false)`,
  );
  return new Map(
    columns.map((column, i) => [
      column.field.id,
      {
        nans: Number(row?.[`nan${i}`] ?? 0),
        min: icebergValue(column.type, row?.[`min${i}`] ?? null),
        max: icebergValue(column.type, row?.[`max${i}`] ?? null),
      },
    ]),
  );
}

class MetricMaps {
  readonly columnSizes = new Map<number, number>();
  readonly valueCounts = new Map<number, number>();
  readonly nullValueCounts = new Map<number, number>();
  readonly nanValueCounts = new Map<number, number>();
  readonly lowerBounds = new Map<number, Uint8Array>();
  readonly upperBounds = new Map<number, Uint8Array>();

  add(column: ColumnStats, mode: MetricsMode, read: ReadStats | undefined): void {
    const { id } = column.field;
    this.columnSizes.set(id, column.columnSize);
    if (column.repeated || mode.kind === 'none') return;
    this.valueCounts.set(id, column.valueCount);
    this.nullValueCounts.set(id, column.nullCount);
    if (isFloat(column)) this.nanValueCounts.set(id, read?.nans ?? 0);
    if (mode.kind === 'counts') return;
    this.#bounds(column, mode, read);
  }

  #bounds(column: ColumnStats, mode: MetricsMode, read: ReadStats | undefined): void {
    const { field, type } = column;
    const min = widenZero(type, read ? read.min : (column.min ?? null), true);
    const max = widenZero(type, read ? read.max : (column.max ?? null), false);
    const width = mode.kind === 'truncate' ? mode.length : null;
    const lower = min === null || width === null ? min : truncateLowerBound(type, min, width);
    const upper = max === null || width === null ? max : truncateUpperBound(type, max, width);
    if (lower !== null) this.lowerBounds.set(field.id, encodeValue(type, lower));
    if (upper !== null) this.upperBounds.set(field.id, encodeValue(type, upper));
  }
}

/** The metrics of a file as its manifest entry keeps them (spec: "Manifests", fields 108 to 128). Reads the file only where its footer does not tell. */
export async function fileMetrics(engine: DuckDbEngine, file: WrittenFile, modeOf: ModeOf): Promise<Metrics> {
  const read = await readStats(engine, file, file.columns.filter(needsRead));
  const maps = new MetricMaps();
  for (const column of file.columns)
    maps.add(column, modeOf(column.path.join('.')), read.get(column.field.id));
  const { columnSizes, valueCounts, nullValueCounts, nanValueCounts, lowerBounds, upperBounds } = maps;
  return { columnSizes, valueCounts, nullValueCounts, nanValueCounts, lowerBounds, upperBounds };
}
