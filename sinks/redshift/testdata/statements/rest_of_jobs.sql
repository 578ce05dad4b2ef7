-- What tests of jobs send besides, a statement of each shape.

CREATE TABLE IF NOT EXISTS "dwh"."dim_customer" (
  "customer_key" bigint NOT NULL,
  "username" character varying(65535),
  "fullname" character varying(65535),
  "email" character varying(65535),
  "country" character varying(65535),
  "is_inferred" boolean,
  PRIMARY KEY ("customer_key")
)
  DISTSTYLE KEY DISTKEY ("customer_key")
  COMPOUND SORTKEY ("customer_key");

CREATE TABLE IF NOT EXISTS "dwh"."dim_date" (
  "date_key" bigint NOT NULL,
  "date" date,
  "year" bigint,
  "quarter" bigint,
  "month" bigint,
  "month_name" character varying(65535),
  "iso_week" bigint,
  "day" bigint,
  "day_of_week" bigint,
  "day_name" character varying(65535),
  "fiscal_year" bigint,
  "fiscal_quarter" bigint,
  "is_weekend" boolean,
  PRIMARY KEY ("date_key")
)
  DISTSTYLE ALL
  COMPOUND SORTKEY ("date_key");

CREATE TABLE IF NOT EXISTS "dwh"."dim_product" (
  "product_key" bigint NOT NULL,
  "productid" character varying(65535),
  "productname" character varying(65535),
  "category" character varying(65535),
  "is_inferred" boolean,
  PRIMARY KEY ("product_key")
)
  DISTSTYLE ALL;

CREATE TABLE IF NOT EXISTS "shop_export"."fact_order" (
  "orderid" character varying(65535) NOT NULL,
  "customer_key" bigint,
  "date_key" bigint,
  "amount" numeric(12,2),
  "status" character varying(65535),
  PRIMARY KEY ("orderid")
)
  DISTSTYLE KEY DISTKEY ("orderid")
  COMPOUND SORTKEY ("orderid");
