-- Every day from the first flight to the last, flights or not.
WITH days AS (
  SELECT CAST(unnest(generate_series(
    min(CAST(flight_time AS DATE)), max(CAST(flight_time AS DATE)), INTERVAL 1 DAY
  )) AS DATE) AS day
  FROM silver.flights
)
SELECT
  CAST(strftime(day, '%Y%m%d') AS INTEGER) AS date_key,
  day AS date,
  CAST(year(day) AS INTEGER) AS year,
  CAST(quarter(day) AS INTEGER) AS quarter,
  CAST(month(day) AS INTEGER) AS month,
  CAST(dayofmonth(day) AS INTEGER) AS day_of_month,
  CAST(isodow(day) AS INTEGER) AS iso_weekday,
  dayname(day) AS weekday,
  isodow(day) >= 6 AS is_weekend
FROM days
