-- Where the files of the current snapshots lie: a file's tier is the longest location that its path begins with, else the hottest.
-- A file's month is that of its earliest row; none for tables without a time.
CREATE OR REPLACE VIEW reports.tier_sizes COMMENT 'Files, bytes and rows by table, month and tier' SECURITY INVOKER AS
WITH tiers (tier, heat, location) AS (
  VALUES
${tiers}
),
files (table_name, file_path, content, bytes, records, first_row) AS (
  SELECT 'bronze.flights', file_path, content, file_size_in_bytes, record_count, CAST(NULL AS VARCHAR)
  FROM bronze."flights$files"
  UNION ALL
  SELECT 'bronze.airports', file_path, content, file_size_in_bytes, record_count, CAST(NULL AS VARCHAR)
  FROM bronze."airports$files"
  UNION ALL
  SELECT 'bronze.flight_corrections', file_path, content, file_size_in_bytes, record_count, CAST(NULL AS VARCHAR)
  FROM bronze."flight_corrections$files"
  UNION ALL
  SELECT 'silver.flights', file_path, content, file_size_in_bytes, record_count, json_extract_scalar(readable_metrics, '$.flight_time.lower_bound')
  FROM silver."flights$files"
  UNION ALL
  SELECT 'gold.fct_flight', file_path, content, file_size_in_bytes, record_count, json_extract_scalar(readable_metrics, '$.flight_time.lower_bound')
  FROM gold."fct_flight$files"
  UNION ALL
  SELECT 'gold.mart_daily_delay', file_path, content, file_size_in_bytes, record_count, json_extract_scalar(readable_metrics, '$.flight_date.lower_bound')
  FROM gold."mart_daily_delay$files"
  UNION ALL
  SELECT 'gold.mart_route', file_path, content, file_size_in_bytes, record_count, CAST(NULL AS VARCHAR)
  FROM gold."mart_route$files"
  UNION ALL
  SELECT 'gold.dim_airport', file_path, content, file_size_in_bytes, record_count, CAST(NULL AS VARCHAR)
  FROM gold."dim_airport$files"
  UNION ALL
  SELECT 'gold.dim_date', file_path, content, file_size_in_bytes, record_count, CAST(NULL AS VARCHAR)
  FROM gold."dim_date$files"
),
placed AS (
  SELECT
    f.table_name,
    arbitrary(f.content) AS content,
    arbitrary(f.bytes) AS bytes,
    arbitrary(f.records) AS records,
    arbitrary(f.first_row) AS first_row,
    coalesce(max_by(t.tier, length(t.location)), (SELECT min_by(tier, heat) FROM tiers)) AS tier
  FROM files AS f
  LEFT JOIN tiers AS t ON starts_with(f.file_path, t.location || '/')
  GROUP BY f.table_name, f.file_path
)
SELECT
  table_name,
  CAST(date_trunc('month', CAST(substr(first_row, 1, 10) AS DATE)) AS DATE) AS data_month,
  tier,
  count(*) AS files,
  sum(bytes) AS bytes,
  coalesce(sum(records) FILTER (WHERE content = 0), 0) AS records
FROM placed
GROUP BY 1, 2, 3
