SELECT
  o.iata AS origin,
  d.iata AS destination,
  count(*) AS flights,
  count(*) FILTER (WHERE f.is_delayed) AS delayed_flights,
  round(avg(f.delay_minutes), 2) AS avg_delay_minutes,
  max(f.delay_minutes) AS max_delay_minutes,
  max(f.distance_miles) AS distance_miles,
  min(f.flight_time) AS first_flight,
  max(f.flight_time) AS last_flight
FROM gold.fct_flight AS f
JOIN gold.dim_airport AS o ON o.airport_key = f.origin_key
JOIN gold.dim_airport AS d ON d.airport_key = f.destination_key
GROUP BY ALL
