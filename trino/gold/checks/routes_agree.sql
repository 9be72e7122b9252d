-- Routes and days must count the same flights.
SELECT r.flights AS flights_of_routes, d.flights AS flights_of_days
FROM (SELECT sum(flights) AS flights FROM reports.routes) AS r
CROSS JOIN (SELECT sum(flights) AS flights FROM reports.daily_delay) AS d
WHERE r.flights IS DISTINCT FROM d.flights
