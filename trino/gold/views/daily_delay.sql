-- Delays by day, over all airports.
CREATE OR REPLACE VIEW reports.daily_delay COMMENT 'Flights and delays by day' SECURITY INVOKER AS
SELECT
  flight_date,
  sum(flights) AS flights,
  sum(delayed_flights) AS delayed_flights,
  CAST(sum(delayed_flights) AS DOUBLE) / sum(flights) AS delayed_share,
  sum(avg_delay_minutes * flights) / sum(flights) AS avg_delay_minutes
FROM gold.mart_daily_delay
GROUP BY flight_date
