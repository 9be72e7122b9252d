SELECT
  md5(_source_file || '|' || _row) AS flight_key,
  CAST(strftime(flight_time, '%Y%m%d') AS INTEGER) AS date_key,
  md5(origin) AS origin_key,
  md5(destination) AS destination_key,
  flight_time,
  delay_minutes,
  distance_miles,
  delay_minutes >= 15 AS is_delayed
FROM silver.flights
