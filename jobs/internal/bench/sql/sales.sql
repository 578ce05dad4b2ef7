-- Every sale with what the country table says of its country. The table is a
-- file beside the input.
COPY (
  SELECT s.uuid, s.itemtype, s.saleschannel, s.orderpriority, s.orderdate, s.region, s.shipdate, s.unitssold, s.impressiontime, l.code, l.combinedname
  FROM read_json(${input}, format = 'newline_delimited', columns = {uuid: 'BIGINT', country: 'VARCHAR', itemtype: 'VARCHAR', saleschannel: 'VARCHAR',
    orderpriority: 'VARCHAR', orderdate: 'VARCHAR', region: 'VARCHAR', shipdate: 'VARCHAR', unitssold: 'VARCHAR', impressiontime: 'VARCHAR'}) s
  LEFT JOIN read_json(${beside/countries.ndjson}, format = 'newline_delimited', columns = {code: 'VARCHAR', countryname: 'VARCHAR', combinedname: 'VARCHAR'}) l
    ON s.country = l.countryname
) TO ${output/sale.parquet} (FORMAT parquet, COMPRESSION snappy);
