-- flight
SELECT s(i, 'id')::UUID, n(i, 'flightNumber')::INT, s(i, 'departureAirportCode'), s(i, 'departureDate')::TIMESTAMPTZ,
  s(i, 'arrivalAirportCode'), s(i, 'arrivalDate')::TIMESTAMPTZ, n(i, 'ticketPrice')::INT,
  ('{' || array_to_string([CASE WHEN i->>('$."' || a || '".N') IS NULL THEN concat('"', a, '":"', s(i, a), '"') ELSE concat('"', a, '":', n(i, a)) END
    FOR a IN json_keys(i) IF a NOT IN ('id', 'flightNumber', 'departureAirportCode', 'departureDate', 'arrivalAirportCode', 'arrivalDate', 'ticketPrice')], ',') || '}')::JSON,
  buried IS NOT NULL, make_timestamp(buried * 1000)
FROM (SELECT arg_max(i, ts) FILTER (i->>'$._deleted' IS NULL AND i IS NOT NULL) AS i, min(ts) FILTER (i->>'$._deleted.BOOL' = 'true') AS buried FROM change WHERE tbl = 'Flight' GROUP BY k);
-- post
SELECT s(i, 'id')::UUID, s(i, 'author'), s(i, 'title'), s(i, 'content'), s(i, 'url'), n(i, 'ups')::INT, n(i, 'downs')::INT, n(i, '_version')::INT, utc(n(i, '_lastChangedAt')::BIGINT),
  buried IS NOT NULL, make_timestamp(buried * 1000)
FROM (SELECT arg_max(i, ts) FILTER (i->>'$._deleted' IS NULL AND i IS NOT NULL) AS i, min(ts) FILTER (i->>'$._deleted.BOOL' = 'true') AS buried FROM change WHERE tbl = 'Post' GROUP BY k);
