-- The airports are those of the day of the flight: a flight in March keeps the name that its airport had in March.
SELECT
  md5(f._source_file || '|' || f._row) AS flight_key,
  CAST(strftime(f.flight_time, '%Y%m%d') AS INTEGER) AS date_key,
  o.airport_key AS origin_key,
  d.airport_key AS destination_key,
  f.flight_time,
  f.delay_minutes,
  f.distance_miles,
  f.delay_minutes >= 15 AS is_delayed
FROM silver.flights AS f
LEFT JOIN gold.dim_airport AS o
  ON o.iata = f.origin AND f.flight_time >= o.effective_from
  AND f.flight_time < coalesce(o.effective_to, DATE '9999-12-31')
LEFT JOIN gold.dim_airport AS d
  ON d.iata = f.destination AND f.flight_time >= d.effective_from
  AND f.flight_time < coalesce(d.effective_to, DATE '9999-12-31')
