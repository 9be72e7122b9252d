-- Typed and cleaned. A flight is identified by the file and row it came from: the data has no key of its own
-- (7,892 rows share date, origin and destination). The latest correction of a flight counts; what it
-- leaves empty stays as it landed.
WITH corrections AS (
  SELECT
    source_file,
    CAST(source_row AS BIGINT) AS source_row,
    CAST(nullif(trim(flight_time), '') AS TIMESTAMP) AS flight_time,
    CAST(nullif(trim(delay), '') AS INTEGER) AS delay,
    CAST(nullif(trim(distance), '') AS INTEGER) AS distance,
    nullif(trim(origin), '') AS origin,
    nullif(trim(destination), '') AS destination
  FROM bronze.flight_corrections
  QUALIFY row_number() OVER (
    PARTITION BY source_file, source_row
    ORDER BY _ingested_at DESC, _source_file DESC, _row DESC
  ) = 1
)
SELECT
  f._source_file,
  f._row,
  coalesce(c.flight_time, f.date) AS flight_time,
  upper(trim(coalesce(c.origin, f.origin))) AS origin,
  upper(trim(coalesce(c.destination, f.destination))) AS destination,
  CAST(coalesce(c.delay, f.delay) AS INTEGER) AS delay_minutes,
  CAST(coalesce(c.distance, f.distance) AS INTEGER) AS distance_miles,
  c.source_row IS NOT NULL AS is_corrected
FROM bronze.flights AS f
LEFT JOIN corrections AS c ON c.source_file = f._source_file AND c.source_row = f._row
WHERE f.date IS NOT NULL
