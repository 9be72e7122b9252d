-- Delays by route. A view, as Superset takes the columns of an unpartitioned table's $partitions for partition columns, and its preview fails.
CREATE OR REPLACE VIEW reports.routes COMMENT 'Flights and delays by route' SECURITY INVOKER AS
SELECT
  origin,
  destination,
  flights,
  delayed_flights,
  CAST(delayed_flights AS DOUBLE) / flights AS delayed_share,
  avg_delay_minutes,
  max_delay_minutes,
  distance_miles,
  first_flight,
  last_flight
FROM gold.mart_route
