-- Days of the mart whose flights are not those of the fact table.
SELECT d.flight_date, d.flights, f.flights AS flights_of_facts
FROM reports.daily_delay AS d
FULL JOIN (
  SELECT CAST(flight_time AS DATE) AS flight_date, count(*) AS flights FROM gold.fct_flight GROUP BY 1
) AS f ON f.flight_date = d.flight_date
WHERE d.flights IS DISTINCT FROM f.flights
