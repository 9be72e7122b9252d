-- Tables whose rows, summed over the tiers, are not those that the table counts. No deletes by position: Lakewarden's models write none.
SELECT t.table_name, t.records, c.records AS counted
FROM (SELECT table_name, sum(records) AS records FROM reports.tier_sizes GROUP BY 1) AS t
JOIN (
  SELECT 'gold.fct_flight' AS table_name, count(*) AS records FROM gold.fct_flight
  UNION ALL SELECT 'gold.mart_daily_delay', count(*) FROM gold.mart_daily_delay
  UNION ALL SELECT 'gold.mart_route', count(*) FROM gold.mart_route
) AS c ON c.table_name = t.table_name
WHERE t.records <> c.records
