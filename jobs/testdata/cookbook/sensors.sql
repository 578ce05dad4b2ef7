-- reading
SELECT s(i, 'sensor_id'), utc(n(i, 'epoch_time_sec')::BIGINT * 1000), number::INT, utc((t->>'$.N')::BIGINT * 1000), (v->>'$.S')::DOUBLE
FROM (SELECT i, unnest(l(i, 'data_values')) AS v, unnest(l(i, 'data_epoch_timestamps')) AS t, generate_subscripts(l(i, 'data_values'), 1) AS number FROM latest WHERE tbl = 'sensor_data')
WHERE v->>'$.S' <> 'n/a';
-- sensor_hour
SELECT s(i, 'sensor_id'), utc(n(i, 'epoch_time_sec')::BIGINT * 1000), len(l(i, 'data_values'))::INT, utc((l(i, 'data_epoch_timestamps')[-1]->>'$.N')::BIGINT * 1000),
  TRY_CAST(l(i, 'data_values')[-1]->>'$.S' AS DOUBLE) FROM latest WHERE tbl = 'sensor_data';
-- song
SELECT s(i, 'Id'), s(i, 'Title'), s(i, 'Artist'), s(i, 'TotalDownloads')::BIGINT FROM latest WHERE s(i, 'Metadata') = 'Details';
-- download
SELECT s(i, 'Metadata')[5:], s(i, 'Id'), s(i, 'DownloadTimestamp')::TIMESTAMP FROM latest WHERE s(i, 'Metadata') LIKE 'Dld-%';
-- song_month
SELECT s(i, 'Id'), strptime(s(i, 'DownloadMonth'), '%m-%Y')::DATE, s(i, 'TotalDownloadsInMonth')::BIGINT FROM latest WHERE s(i, 'Metadata') LIKE 'Month-%';
-- dead_letters
SELECT 'bad_value', 'reading', number::VARCHAR
FROM (SELECT unnest(l(i, 'data_values')) AS v, generate_subscripts(l(i, 'data_values'), 1) AS number FROM change WHERE tbl = 'sensor_data')
WHERE v->>'$.S' = 'n/a';
