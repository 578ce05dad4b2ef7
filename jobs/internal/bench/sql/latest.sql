-- The table's state after the last change: of each key the newest record
-- decides, which drops repetitions and settles late records, and a removal
-- leaves nothing. A view, since keeping the changes in a table first costs a
-- fifth more. The state goes into three tables of a database file.
CREATE TEMP VIEW change AS
  SELECT eventName AS op, dynamodb.Keys.PK.S AS pk, dynamodb.Keys.SK.S AS sk, dynamodb.ApproximateCreationDateTime AS ts, dynamodb.NewImage AS i
  FROM read_json(${input}, format = 'newline_delimited', columns = {
    eventName: 'VARCHAR',
    dynamodb: 'STRUCT(
      ApproximateCreationDateTime BIGINT,
      Keys STRUCT(PK STRUCT(S VARCHAR), SK STRUCT(S VARCHAR)),
      NewImage STRUCT(
        PK STRUCT(S VARCHAR), "type" STRUCT(S VARCHAR),
        username STRUCT(S VARCHAR), fullname STRUCT(S VARCHAR), email STRUCT(S VARCHAR),
        address STRUCT(M STRUCT(buildingnumber STRUCT(S VARCHAR), street STRUCT(S VARCHAR), city STRUCT(S VARCHAR),
          country STRUCT(S VARCHAR), postcode STRUCT(S VARCHAR))),
        orderid STRUCT(S VARCHAR), orderdate STRUCT(S VARCHAR), numberofitems STRUCT(N VARCHAR), amount STRUCT(N VARCHAR), status STRUCT(S VARCHAR),
        productid STRUCT(S VARCHAR), productname STRUCT(S VARCHAR), category STRUCT(S VARCHAR), price STRUCT(N VARCHAR), color STRUCT(S VARCHAR)))'});
CREATE TEMP TABLE settled AS
  SELECT arg_max(i, ts) AS i, arg_max(op, ts) AS op FROM change GROUP BY pk, sk;
ATTACH ${output/warehouse.duckdb} AS warehouse;
CREATE TABLE warehouse.customer AS
  SELECT i.username.S AS username, i.fullname.S AS fullname, i.email.S AS email,
         i.address.M.buildingnumber.S AS buildingnumber, i.address.M.street.S AS street, i.address.M.city.S AS city,
         i.address.M.country.S AS country, i.address.M.postcode.S AS postcode
  FROM settled WHERE op <> 'REMOVE' AND i."type".S = 'customer';
CREATE TABLE warehouse."order" AS
  SELECT substr(i.PK.S, 6) AS username, i.orderid.S AS orderid, i.orderdate.S::TIMESTAMP AS orderdate,
         i.numberofitems.N::INTEGER AS numberofitems, i.amount.N::DECIMAL(12,2) AS amount, i.status.S AS status
  FROM settled WHERE op <> 'REMOVE' AND i."type".S = 'order';
CREATE TABLE warehouse.order_line AS
  SELECT i.orderid.S AS orderid, i.productid.S AS productid, i.productname.S AS productname,
         i.category.S AS category, i.price.N::DECIMAL(12,2) AS price, i.color.S AS color
  FROM settled WHERE op <> 'REMOVE' AND i."type".S = 'product';
DETACH warehouse;
