SELECT
  d.date AS flight_date,
  a.iata AS origin,
  a.city,
  a.state,
  count(*) AS flights,
  count(*) FILTER (WHERE f.is_delayed) AS delayed_flights,
  round(avg(f.delay_minutes), 2) AS avg_delay_minutes,
  max(f.delay_minutes) AS max_delay_minutes
FROM gold.fct_flight AS f
JOIN gold.dim_date AS d ON d.date_key = f.date_key
JOIN gold.dim_airport AS a ON a.airport_key = f.origin_key
GROUP BY ALL
