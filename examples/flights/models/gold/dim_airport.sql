-- The latest row of an airport wins.
SELECT
  md5(upper(trim(iata))) AS airport_key,
  upper(trim(iata)) AS iata,
  name,
  city,
  state,
  country,
  CAST(latitude AS DOUBLE) AS latitude,
  CAST(longitude AS DOUBLE) AS longitude
FROM bronze.airports
QUALIFY row_number() OVER (
  PARTITION BY upper(trim(iata))
  ORDER BY _ingested_at DESC, _source_file DESC, _row DESC
) = 1
