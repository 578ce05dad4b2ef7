-- flight
SELECT s(i, 'id'), n(i, 'flightNumber')::INT, s(i, 'departureDate')::TIMESTAMP, s(i, 'departureAirportCode'), s(i, 'arrivalDate')::TIMESTAMP,
  s(i, 'arrivalAirportCode'), n(i, 'ticketPrice')::INT, buried IS NOT NULL, make_timestamp(buried * 1000)
FROM (SELECT arg_max(i, ts) FILTER (i->>'$._deleted' IS NULL AND i IS NOT NULL) AS i, min(ts) FILTER (i->>'$._deleted.BOOL' = 'true') AS buried FROM change WHERE tbl = 'Flight' GROUP BY k);
-- post
SELECT s(i, 'id'), s(i, 'author'), s(i, 'title'), s(i, 'content'), n(i, 'ups')::INT, n(i, 'downs')::INT, n(i, '_version')::INT, make_timestamp(n(i, '_lastChangedAt')::BIGINT * 1000),
  buried IS NOT NULL, make_timestamp(buried * 1000)
FROM (SELECT arg_max(i, ts) FILTER (i->>'$._deleted' IS NULL AND i IS NOT NULL) AS i, min(ts) FILTER (i->>'$._deleted.BOOL' = 'true') AS buried FROM change WHERE tbl = 'Post' GROUP BY k);
