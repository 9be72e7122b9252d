-- Delays by airport of departure and month, with the airport's place as it is now.
CREATE OR REPLACE VIEW reports.airport_delay COMMENT 'Flights and delays by airport of departure and month' SECURITY INVOKER AS
SELECT
  m.origin AS airport,
  a.name AS airport_name,
  a.city,
  a.state,
  CAST(date_trunc('month', m.flight_date) AS DATE) AS flight_month,
  sum(m.flights) AS flights,
  sum(m.delayed_flights) AS delayed_flights,
  max(m.max_delay_minutes) AS max_delay_minutes
FROM gold.mart_daily_delay AS m
LEFT JOIN gold.dim_airport AS a ON a.iata = m.origin AND a.is_current
GROUP BY 1, 2, 3, 4, 5
