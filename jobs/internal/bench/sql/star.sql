-- The star of a full export, into five tables of a database file: the members
-- of each dimension are numbered, and an order's line finds its customer, and
-- the customer's address, through the order. The items are read once, as they
-- are compressed, and only the attributes used are declared. Where several
-- customers describe an address differently, any of them does.
CREATE TEMP TABLE item AS
  SELECT Item."type".S AS kind, substr(Item.PK.S, 6) AS owner,
         Item.username.S AS username, Item.fullname.S AS fullname, Item.email.S AS email,
         Item.address.M.buildingnumber.S AS buildingnumber, Item.address.M.street.S AS street, Item.address.M.city.S AS city,
         Item.address.M.country.S AS country, Item.address.M.postcode.S AS postcode,
         Item.orderid.S AS orderid, Item.orderdate.S::TIMESTAMP AS orderdate,
         Item.productid.S AS productid, Item.productname.S AS productname, Item.category.S AS category, Item.color.S AS color,
         Item.price.N::DECIMAL(10,2) AS price
  FROM read_json(${input} || '/data/*.json.gz', format = 'newline_delimited', compression = 'gzip', columns = {
    Item: 'STRUCT(
      PK STRUCT(S VARCHAR), "type" STRUCT(S VARCHAR),
      username STRUCT(S VARCHAR), fullname STRUCT(S VARCHAR), email STRUCT(S VARCHAR),
      address STRUCT(M STRUCT(buildingnumber STRUCT(S VARCHAR), street STRUCT(S VARCHAR), city STRUCT(S VARCHAR),
        country STRUCT(S VARCHAR), postcode STRUCT(S VARCHAR))),
      orderid STRUCT(S VARCHAR), orderdate STRUCT(S VARCHAR),
      productid STRUCT(S VARCHAR), productname STRUCT(S VARCHAR), category STRUCT(S VARCHAR), price STRUCT(N VARCHAR), color STRUCT(S VARCHAR))'});
ATTACH ${output/warehouse.duckdb} AS warehouse;
CREATE TABLE warehouse.dim_customer AS
  SELECT row_number() OVER () AS customer_key, username, any_value(fullname) AS fullname, any_value(email) AS email, false AS is_inferred
  FROM item WHERE kind = 'customer' GROUP BY username
  UNION ALL SELECT 0, NULL, NULL, NULL, false;
CREATE TABLE warehouse.dim_address AS
  SELECT row_number() OVER () AS address_key, buildingnumber, postcode,
         any_value(street) AS street, any_value(city) AS city, any_value(country) AS country, false AS is_inferred
  FROM item WHERE kind = 'customer' GROUP BY buildingnumber, postcode
  UNION ALL SELECT 0, NULL, NULL, NULL, NULL, NULL, false;
CREATE TABLE warehouse.dim_product AS
  SELECT row_number() OVER () AS product_key, productid,
         any_value(productname) AS productname, any_value(category) AS category, any_value(color) AS color, false AS is_inferred
  FROM item WHERE kind = 'product' GROUP BY productid
  UNION ALL SELECT 0, NULL, NULL, NULL, NULL, false;
CREATE TABLE warehouse.dim_date AS
  SELECT strftime(d, '%Y%m%d')::BIGINT AS date_key, d::DATE AS date, year(d) AS year, quarter(d) AS quarter, month(d) AS month, monthname(d) AS month_name,
         week(d) AS iso_week, day(d) AS day, isodow(d) AS day_of_week, dayname(d) AS day_name,
         year(d + INTERVAL 9 MONTH) AS fiscal_year, quarter(d + INTERVAL 9 MONTH) AS fiscal_quarter, isodow(d) > 5 AS is_weekend
  FROM range(TIMESTAMP '2010-01-01', TIMESTAMP '2036-01-01', INTERVAL 1 DAY) day(d)
  UNION ALL SELECT 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL;
CREATE TEMP TABLE placed AS
  SELECT o.orderid, o.orderdate, c.customer_key, a.address_key
  FROM item o
  LEFT JOIN item i ON i.kind = 'customer' AND i.username = o.owner
  LEFT JOIN warehouse.dim_customer c ON c.username = o.owner
  LEFT JOIN warehouse.dim_address a ON a.buildingnumber = i.buildingnumber AND a.postcode = i.postcode
  WHERE o.kind = 'order';
CREATE TABLE warehouse.fact_order AS
  SELECT l.orderid, l.productid, coalesce(o.customer_key, 0) AS customer_key, coalesce(o.address_key, 0) AS address_key,
         coalesce(p.product_key, 0) AS product_key, coalesce(d.date_key, 0) AS date_key, l.price
  FROM item l
  LEFT JOIN placed o ON o.orderid = l.orderid
  LEFT JOIN warehouse.dim_product p ON p.productid = l.productid
  LEFT JOIN warehouse.dim_date d ON d.date = o.orderdate::DATE
  WHERE l.kind = 'product';
DETACH warehouse;
