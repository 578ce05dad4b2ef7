-- Revenue by country, category and quarter, and its growth over the same
-- quarter a year before in per cent; null where there was no revenue then.
WITH revenue AS (
  SELECT country, category, year, quarter, sum(price) AS revenue
  FROM fact_order
  JOIN dim_customer USING (customer_key)
  JOIN dim_product USING (product_key)
  JOIN dim_date USING (date_key)
  GROUP BY country, category, year, quarter
)
SELECT now.country, now.category, now.year, now.quarter, now.revenue,
       ((now.revenue - before.revenue) * 100 / nullif(before.revenue, 0))::DECIMAL(18, 1) AS growth
FROM revenue now
LEFT JOIN revenue before
  ON before.country = now.country AND before.category = now.category
  AND before.year = now.year - 1 AND before.quarter = now.quarter
ORDER BY now.year DESC, now.quarter DESC, now.revenue DESC, now.country, now.category
LIMIT 12
