-- What the lists of airports say, each from the day in its file's name on; the first, without one, from the beginning.
SELECT
  upper(trim(iata)) AS iata,
  name,
  city,
  state,
  country,
  CAST(latitude AS DOUBLE) AS latitude,
  CAST(longitude AS DOUBLE) AS longitude,
  coalesce(
    TRY_CAST(regexp_extract(_source_file, '(\d{4}-\d{2}-\d{2})\.csv$', 1) AS DATE), DATE '1970-01-01'
  ) AS listed_on
FROM bronze.airports
