-- customer
SELECT s(i, 'PK')[3:], s(i, 'Name'), s(i, 'Email') FROM latest WHERE s(i, 'EntityType') = 'customer';
-- product
SELECT s(i, 'PK')[3:], i->>'$.Detail.M.Name.S', i->>'$.Detail.M.Description.S', s(i, 'Price')::DECIMAL(10,2) FROM latest WHERE s(i, 'EntityType') = 'product';
-- warehouse
SELECT s(i, 'PK')[3:], i->>'$.Address.M.Country.S', i->>'$.Address.M.City.S',
  ('{' || array_to_string([concat('"', name, '":"', i->>('$.Address.M.' || name || '.S'), '"') FOR name IN ['Country', 'County', 'City', 'Street', 'Number', 'ZipCode']], ',') || '}')::JSON
FROM latest WHERE s(i, 'EntityType') = 'warehouse';
-- stock
SELECT s(i, 'SK')[3:], s(i, 'PK')[3:], s(i, 'Quantity')::INT FROM latest WHERE s(i, 'EntityType') = 'warehouseItem';
-- orders
SELECT s(i, 'PK')[3:], s(i, 'SK')[3:], s(i, 'Date')::TIMESTAMP FROM latest WHERE s(i, 'EntityType') = 'order';
-- order_item
SELECT s(i, 'PK')[3:], s(i, 'SK')[3:], s(i, 'Quantity')::INT, s(i, 'Price')::DECIMAL(10,2), s(i, 'GSI1-SK')::TIMESTAMP FROM latest WHERE s(i, 'EntityType') = 'orderItem';
-- invoice
SELECT s(i, 'SK')[3:], s(i, 'PK')[3:], s(i, 'Amount')::DECIMAL(10,2), s(i, 'Date')::TIMESTAMP FROM latest WHERE s(i, 'EntityType') = 'invoice';
-- payment
SELECT s(i, 'SK')[3:], number::INT, p->>'$.M.Type.S', (p->>'$.M.Amount.N')::DECIMAL(10,2), p->>'$.M.Data.S'
FROM (SELECT i, unnest(l(i, 'Detail.M.Payments')) AS p, generate_subscripts(l(i, 'Detail.M.Payments'), 1) AS number FROM latest WHERE s(i, 'EntityType') = 'invoice');
-- shipment
SELECT s(i, 'SK')[4:], s(i, 'PK')[3:], s(i, 'GSI2-PK')[3:], s(i, 'Type'), i->>'$.Address.M.City.S', s(i, 'Date')::TIMESTAMP FROM latest WHERE s(i, 'EntityType') = 'shipment';
-- shipment_item
SELECT s(i, 'PK')[3:], s(i, 'SK')[5:], s(i, 'GSI1-PK')[4:], s(i, 'GSI1-SK')[3:], s(i, 'Quantity')::INT FROM latest WHERE s(i, 'EntityType') = 'shipmentItem';
