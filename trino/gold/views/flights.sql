-- One row a flight, with the airports as they were on its day.
CREATE OR REPLACE VIEW reports.flights COMMENT 'Flights with their airports as of their day' SECURITY INVOKER AS
SELECT
  f.flight_time,
  CAST(f.flight_time AS DATE) AS flight_date,
  o.iata AS origin,
  o.city AS origin_city,
  d.iata AS destination,
  d.city AS destination_city,
  f.delay_minutes,
  f.is_delayed,
  f.distance_miles
FROM gold.fct_flight AS f
LEFT JOIN gold.dim_airport AS o ON o.airport_key = f.origin_key
LEFT JOIN gold.dim_airport AS d ON d.airport_key = f.destination_key
