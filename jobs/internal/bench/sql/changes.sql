-- All changes split by the type of the item into three files: the new image, or
-- the old one of what is removed. The input is read once.
CREATE TEMP TABLE change AS
  SELECT eventName AS event_name, make_timestamp(dynamodb.ApproximateCreationDateTime * 1000) AS created_at, coalesce(dynamodb.NewImage, dynamodb.OldImage) AS i
  FROM read_json(${input}, format = 'newline_delimited', columns = {
    eventName: 'VARCHAR',
    dynamodb: 'STRUCT(
      ApproximateCreationDateTime BIGINT,
      NewImage STRUCT(
        PK STRUCT(S VARCHAR), "type" STRUCT(S VARCHAR),
        username STRUCT(S VARCHAR), fullname STRUCT(S VARCHAR), email STRUCT(S VARCHAR),
        address STRUCT(M STRUCT(buildingnumber STRUCT(S VARCHAR), street STRUCT(S VARCHAR), city STRUCT(S VARCHAR),
          country STRUCT(S VARCHAR), postcode STRUCT(S VARCHAR))),
        orderid STRUCT(S VARCHAR), orderdate STRUCT(S VARCHAR), numberofitems STRUCT(N VARCHAR), amount STRUCT(N VARCHAR), status STRUCT(S VARCHAR),
        productid STRUCT(S VARCHAR), productname STRUCT(S VARCHAR), category STRUCT(S VARCHAR), price STRUCT(N VARCHAR), color STRUCT(S VARCHAR)),
      OldImage STRUCT(
        PK STRUCT(S VARCHAR), "type" STRUCT(S VARCHAR),
        username STRUCT(S VARCHAR), fullname STRUCT(S VARCHAR), email STRUCT(S VARCHAR),
        address STRUCT(M STRUCT(buildingnumber STRUCT(S VARCHAR), street STRUCT(S VARCHAR), city STRUCT(S VARCHAR),
          country STRUCT(S VARCHAR), postcode STRUCT(S VARCHAR))),
        orderid STRUCT(S VARCHAR), orderdate STRUCT(S VARCHAR), numberofitems STRUCT(N VARCHAR), amount STRUCT(N VARCHAR), status STRUCT(S VARCHAR),
        productid STRUCT(S VARCHAR), productname STRUCT(S VARCHAR), category STRUCT(S VARCHAR), price STRUCT(N VARCHAR), color STRUCT(S VARCHAR)))'});
COPY (
  SELECT event_name, created_at, i.username.S AS username, i.fullname.S AS fullname, i.email.S AS email,
         i.address.M.buildingnumber.S AS buildingnumber, i.address.M.street.S AS street, i.address.M.city.S AS city,
         i.address.M.country.S AS country, i.address.M.postcode.S AS postcode
  FROM change WHERE i."type".S = 'customer'
) TO ${output/customer.parquet} (FORMAT parquet, COMPRESSION snappy);
COPY (
  SELECT event_name, created_at, substr(i.PK.S, 6) AS username, i.orderid.S AS orderid, i.orderdate.S::TIMESTAMP AS orderdate,
         i.numberofitems.N::INTEGER AS numberofitems, i.amount.N::DECIMAL(12,2) AS amount, i.status.S AS status
  FROM change WHERE i."type".S = 'order'
) TO ${output/order.parquet} (FORMAT parquet, COMPRESSION snappy);
COPY (
  SELECT event_name, created_at, i.orderid.S AS orderid, i.productid.S AS productid, i.productname.S AS productname,
         i.category.S AS category, i.price.N::DECIMAL(12,2) AS price, i.color.S AS color
  FROM change WHERE i."type".S = 'product'
) TO ${output/order_line.parquet} (FORMAT parquet, COMPRESSION snappy);
