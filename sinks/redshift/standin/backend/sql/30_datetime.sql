-- Dates and times (dg/Date_functions_header). A text in the place of a date is read as a
-- timestamp: the overload with text is the one that an untyped literal takes.

-- The date part that a word means (dg/r_Dateparts_for_datetime_functions). Words are those
-- of all functions; what a function can't do with a part it says.
CREATE FUNCTION rs.datepart(word text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  w text := lower(word);
BEGIN
  RETURN CASE
    WHEN w IN ('millennium', 'millennia', 'mil', 'mils') THEN 'millennium'
    WHEN w IN ('century', 'centuries', 'c', 'cent', 'cents') THEN 'century'
    WHEN w IN ('decade', 'decades', 'dec', 'decs') THEN 'decade'
    WHEN w = 'epoch' THEN 'epoch'
    WHEN w IN ('year', 'years', 'y', 'yr', 'yrs') THEN 'year'
    WHEN w IN ('quarter', 'quarters', 'qtr', 'qtrs') THEN 'quarter'
    WHEN w IN ('month', 'months', 'mon', 'mons') THEN 'month'
    WHEN w IN ('week', 'weeks', 'w') THEN 'week'
    WHEN w IN ('dayofweek', 'dow', 'dw', 'weekday') THEN 'dow'
    WHEN w IN ('dayofyear', 'doy', 'dy', 'yearday') THEN 'doy'
    WHEN w IN ('day', 'days', 'd') THEN 'day'
    WHEN w IN ('hour', 'hours', 'h', 'hr', 'hrs') THEN 'hour'
    WHEN w IN ('minute', 'minutes', 'm', 'min', 'mins') THEN 'minute'
    WHEN w IN ('second', 'seconds', 's', 'sec', 'secs') THEN 'second'
    WHEN w IN ('millisecond', 'milliseconds', 'ms', 'msec', 'msecs', 'msecond', 'mseconds', 'millisec', 'millisecs', 'millisecon') THEN 'millisecond'
    WHEN w IN ('microsecond', 'microseconds', 'microsec', 'microsecs', 'usecond', 'useconds', 'us', 'usec', 'usecs') THEN 'microsecond'
    WHEN w IN ('timezone', 'timezone_hour', 'timezone_minute') THEN w
    ELSE rs.fail('22023', format('timestamp units "%s" not recognized', word))
  END;
END $$;

CREATE FUNCTION rs.getdate() RETURNS timestamp LANGUAGE sql STABLE AS $$ SELECT date_trunc('second', statement_timestamp())::timestamp $$;
CREATE FUNCTION rs.sysdate() RETURNS timestamp LANGUAGE sql STABLE AS $$ SELECT now()::timestamp $$;
CREATE FUNCTION rs.timeofday() RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT pg_catalog.timeofday() $$;

-- The interval of n of a date part. A year is added to the day of the year's month, so that
-- February 29 becomes March 1; months end where the month does.
CREATE FUNCTION rs.dateadd(part text, n bigint, value timestamp) RETURNS timestamp LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  p text := rs.datepart(part);
  years integer := CASE p WHEN 'year' THEN n WHEN 'decade' THEN n * 10 WHEN 'century' THEN n * 100 WHEN 'millennium' THEN n * 1000 END;
  result timestamp;
BEGIN
  IF years IS NOT NULL THEN
    result := value + make_interval(years => years);
    IF extract(month FROM value) = 2 AND extract(day FROM value) = 29 AND extract(day FROM result) <> 29 THEN result := result + interval '1 day'; END IF;
    RETURN result;
  END IF;
  RETURN CASE p
    WHEN 'quarter' THEN value + make_interval(months => (n * 3)::integer)
    WHEN 'month' THEN value + make_interval(months => n::integer)
    WHEN 'week' THEN value + make_interval(weeks => n::integer)
    WHEN 'day' THEN value + make_interval(days => n::integer)
    WHEN 'hour' THEN value + n * interval '1 hour'
    WHEN 'minute' THEN value + n * interval '1 minute'
    WHEN 'second' THEN value + n * interval '1 second'
    WHEN 'millisecond' THEN value + (n / 1000) * interval '1 second' + (n % 1000) * interval '1 millisecond'
    WHEN 'microsecond' THEN value + (n / 1000000) * interval '1 second' + (n % 1000000) * interval '1 microsecond'
    ELSE rs.fail('0A000', format('timestamp units "%s" not supported', part))::timestamp
  END;
END $$;
CREATE FUNCTION rs.dateadd(part text, n bigint, value date) RETURNS timestamp LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT rs.dateadd($1, $2, $3::timestamp) $$;
CREATE FUNCTION rs.dateadd(part text, n bigint, value text) RETURNS timestamp LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$ SELECT rs.dateadd($1, $2, $3::timestamp) $$;
CREATE FUNCTION rs.dateadd(part text, n bigint, value timestamptz) RETURNS timestamptz LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$
  SELECT rs.dateadd($1, $2, $3 AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'
$$;
-- A time goes round the clock.
CREATE FUNCTION rs.dateadd(part text, n bigint, value time) RETURNS time LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT rs.dateadd($1, $2, date '2000-01-01' + $3)::time $$;
CREATE FUNCTION rs.dateadd(part text, n bigint, value timetz) RETURNS timetz LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$
  SELECT (rs.dateadd($1, $2, date '2000-01-01' + ($3 AT TIME ZONE 'UTC')::time)::time || '+00')::timetz
$$;

CREATE FUNCTION rs.micros(value timestamp) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT (value::date - date '2000-01-01')::bigint * 86400000000 + (extract(hour FROM value)::bigint * 3600 + extract(minute FROM value)::bigint * 60) * 1000000 + extract(microseconds FROM value)::bigint
$$;
CREATE FUNCTION rs.floor_div(a bigint, b bigint) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT $1 / $2 - CASE WHEN $1 % $2 < 0 THEN 1 ELSE 0 END $$;

-- How many boundaries of a date part lie before a timestamp. Weeks begin on Sunday.
CREATE FUNCTION rs.boundaries(part text, value timestamp) RETURNS bigint LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  p text := rs.datepart(part);
BEGIN
  RETURN CASE p
    WHEN 'millennium' THEN extract(millennium FROM value)::bigint
    WHEN 'century' THEN extract(century FROM value)::bigint
    WHEN 'decade' THEN extract(decade FROM value)::bigint
    WHEN 'year' THEN extract(year FROM value)::bigint
    WHEN 'quarter' THEN extract(year FROM value)::bigint * 4 + extract(quarter FROM value)::bigint
    WHEN 'month' THEN extract(year FROM value)::bigint * 12 + extract(month FROM value)::bigint
    WHEN 'week' THEN rs.floor_div((value::date - date '2000-01-02')::bigint, 7)
    WHEN 'day' THEN (value::date - date '2000-01-01')::bigint
    WHEN 'hour' THEN rs.floor_div(rs.micros(value), 3600000000)
    WHEN 'minute' THEN rs.floor_div(rs.micros(value), 60000000)
    WHEN 'second' THEN rs.floor_div(rs.micros(value), 1000000)
    WHEN 'millisecond' THEN rs.floor_div(rs.micros(value), 1000)
    WHEN 'microsecond' THEN rs.micros(value)
    ELSE rs.fail('0A000', format('timestamp units "%s" not supported', part))::bigint
  END;
END $$;
CREATE FUNCTION rs.datediff(part text, a timestamp, b timestamp) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT rs.boundaries($1, $3) - rs.boundaries($1, $2) $$;
CREATE FUNCTION rs.datediff(part text, a date, b date) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT rs.datediff($1, $2::timestamp, $3::timestamp) $$;
CREATE FUNCTION rs.datediff(part text, a text, b text) RETURNS bigint LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$ SELECT rs.datediff($1, $2::timestamp, $3::timestamp) $$;
CREATE FUNCTION rs.datediff(part text, a text, b timestamp) RETURNS bigint LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$ SELECT rs.datediff($1, $2::timestamp, $3) $$;
CREATE FUNCTION rs.datediff(part text, a timestamp, b text) RETURNS bigint LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$ SELECT rs.datediff($1, $2, $3::timestamp) $$;
CREATE FUNCTION rs.datediff(part text, a timestamptz, b timestamptz) RETURNS bigint LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$
  SELECT rs.datediff($1, $2 AT TIME ZONE 'UTC', $3 AT TIME ZONE 'UTC')
$$;
CREATE FUNCTION rs.datediff(part text, a time, b time) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT rs.datediff($1, date '2000-01-01' + $2, date '2000-01-01' + $3)
$$;
CREATE FUNCTION rs.datediff(part text, a timetz, b timetz) RETURNS bigint LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$
  SELECT rs.datediff($1, ($2 AT TIME ZONE 'UTC')::time, ($3 AT TIME ZONE 'UTC')::time)
$$;

-- DATE_PART has the whole of a second's digits, EXTRACT only those of the part.
CREATE FUNCTION rs.date_part(part text, value timestamp) RETURNS double precision LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT pg_catalog.date_part(rs.datepart($1), $2) $$;
CREATE FUNCTION rs.date_part(part text, value date) RETURNS double precision LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT pg_catalog.date_part(rs.datepart($1), $2::timestamp) $$;
CREATE FUNCTION rs.date_part(part text, value text) RETURNS double precision LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$ SELECT pg_catalog.date_part(rs.datepart($1), $2::timestamp) $$;
CREATE FUNCTION rs.date_part(part text, value timestamptz) RETURNS double precision LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$ SELECT pg_catalog.date_part(rs.datepart($1), $2) $$;
CREATE FUNCTION rs.date_part(part text, value time) RETURNS double precision LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT pg_catalog.date_part(rs.datepart($1), $2) $$;
CREATE FUNCTION rs.date_part(part text, value timetz) RETURNS double precision LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT pg_catalog.date_part(rs.datepart($1), $2) $$;
CREATE FUNCTION rs.date_part(part text, value interval) RETURNS double precision LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT pg_catalog.date_part(rs.datepart($1), $2) $$;
CREATE FUNCTION rs.only_part(part text, value double precision) RETURNS double precision LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE rs.datepart($1) WHEN 'second' THEN trunc($2) WHEN 'millisecond' THEN trunc($2)::bigint % 1000 WHEN 'microsecond' THEN trunc($2)::bigint % 1000000 ELSE trunc($2) END
$$;
CREATE FUNCTION rs.extract(part text, value timestamp) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT rs.only_part($1, rs.date_part($1, $2))::bigint $$;
CREATE FUNCTION rs.extract(part text, value date) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT rs.only_part($1, rs.date_part($1, $2))::bigint $$;
CREATE FUNCTION rs.extract(part text, value text) RETURNS bigint LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$ SELECT rs.only_part($1, rs.date_part($1, $2))::bigint $$;
CREATE FUNCTION rs.extract(part text, value timestamptz) RETURNS double precision LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$ SELECT rs.only_part($1, rs.date_part($1, $2)) $$;
CREATE FUNCTION rs.extract(part text, value time) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT rs.only_part($1, rs.date_part($1, $2))::bigint $$;
CREATE FUNCTION rs.extract(part text, value timetz) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT rs.only_part($1, rs.date_part($1, $2))::bigint $$;
CREATE FUNCTION rs.extract(part text, value interval) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT rs.only_part($1, rs.date_part($1, $2))::bigint $$;
CREATE FUNCTION rs.date_part_year(value date) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT extract(year FROM $1)::integer $$;

CREATE FUNCTION rs.date_trunc(part text, value timestamp) RETURNS timestamp LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT pg_catalog.date_trunc(rs.datepart($1), $2) $$;
CREATE FUNCTION rs.date_trunc(part text, value date) RETURNS timestamp LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT pg_catalog.date_trunc(rs.datepart($1), $2::timestamp) $$;
CREATE FUNCTION rs.date_trunc(part text, value text) RETURNS timestamp LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$ SELECT pg_catalog.date_trunc(rs.datepart($1), $2::timestamp) $$;
CREATE FUNCTION rs.date_trunc(part text, value timestamptz) RETURNS timestamptz LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$ SELECT pg_catalog.date_trunc(rs.datepart($1), $2) $$;

CREATE FUNCTION rs.last_day(value timestamp) RETURNS date LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT (pg_catalog.date_trunc('month', $1) + interval '1 month - 1 day')::date
$$;
CREATE FUNCTION rs.last_day(value text) RETURNS date LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$ SELECT rs.last_day($1::timestamp) $$;

CREATE FUNCTION rs.next_day(value timestamp, day text) RETURNS date LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  -- A day is named by at least its first letters that no other day has.
  wanted integer := (SELECT n - 1 FROM unnest(ARRAY['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'],
      ARRAY[2, 1, 2, 1, 2, 1, 2]) WITH ORDINALITY AS days(name, least, n)
    WHERE length(btrim(day)) >= least AND starts_with(name, lower(btrim(day))));
BEGIN
  IF wanted IS NULL THEN PERFORM rs.fail('22023', format('Not a valid day of the week: %s', day)); END IF;
  RETURN value::date + 1 + (wanted - extract(dow FROM value)::integer - 1 + 7) % 7;
END $$;
CREATE FUNCTION rs.next_day(value text, day text) RETURNS date LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$ SELECT rs.next_day($1::timestamp, $2) $$;

CREATE FUNCTION rs.add_months(value timestamp, n bigint) RETURNS timestamp LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN $1::date = rs.last_day($1) THEN rs.last_day($1 + make_interval(months => $2::integer)) + $1::time ELSE $1 + make_interval(months => $2::integer) END
$$;
CREATE FUNCTION rs.add_months(value text, n bigint) RETURNS timestamp LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$ SELECT rs.add_months($1::timestamp, $2) $$;

-- Whole months where both are the same day, or both the last; else of 31 days.
CREATE FUNCTION rs.months_between(a timestamp, b timestamp) RETURNS double precision LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT rs.boundaries('month', $1) - rs.boundaries('month', $2) +
    CASE WHEN extract(day FROM $1) = extract(day FROM $2) OR ($1::date = rs.last_day($1) AND $2::date = rs.last_day($2)) THEN 0
    ELSE (extract(day FROM $1)::double precision - extract(day FROM $2)::double precision + (extract(epoch FROM $1::time) - extract(epoch FROM $2::time))::double precision / 86400) / 31 END
$$;
CREATE FUNCTION rs.months_between(a text, b text) RETURNS double precision LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$ SELECT rs.months_between($1::timestamp, $2::timestamp) $$;

CREATE FUNCTION rs.trunc(value timestamp) RETURNS date LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT $1::date $$;
CREATE FUNCTION rs.trunc(value timestamptz) RETURNS date LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$ SELECT $1::date $$;
CREATE FUNCTION rs.trunc(value numeric) RETURNS numeric LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT pg_catalog.trunc($1) $$;
CREATE FUNCTION rs.trunc(value double precision) RETURNS double precision LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT pg_catalog.trunc($1) $$;
CREATE FUNCTION rs.trunc(value integer) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT $1 $$;
CREATE FUNCTION rs.trunc(value bigint) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT $1 $$;
CREATE FUNCTION rs.trunc(value numeric, n integer) RETURNS numeric LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT pg_catalog.trunc($1, $2) $$;

-- A zone is a name, an abbreviation or of POSIX's form; its blanks mean nothing.
CREATE FUNCTION rs.convert_timezone(source text, target text, value timestamp) RETURNS timestamp LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT ($3 AT TIME ZONE replace($1, ' ', '')) AT TIME ZONE replace($2, ' ', '')
$$;
CREATE FUNCTION rs.convert_timezone(source text, target text, value text) RETURNS timestamp LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$ SELECT rs.convert_timezone($1, $2, $3::timestamp) $$;
CREATE FUNCTION rs.convert_timezone(target text, value timestamp) RETURNS timestamp LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT rs.convert_timezone('UTC', $1, $2) $$;
CREATE FUNCTION rs.convert_timezone(target text, value text) RETURNS timestamp LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$ SELECT rs.convert_timezone('UTC', $1, $2::timestamp) $$;

CREATE FUNCTION rs.date_cmp(a date, b date) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT sign($1 - $2)::integer $$;
CREATE FUNCTION rs.timestamp_cmp(a timestamp, b timestamp) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT pg_catalog.timestamp_cmp($1, $2) $$;
CREATE FUNCTION rs.timestamp_cmp_date(a timestamp, b date) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT pg_catalog.timestamp_cmp($1, $2) $$;
CREATE FUNCTION rs.date_cmp_timestamp(a date, b timestamp) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT pg_catalog.timestamp_cmp($1, $2) $$;
CREATE FUNCTION rs.timestamptz_cmp(a timestamptz, b timestamptz) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT pg_catalog.timestamptz_cmp($1, $2) $$;
CREATE FUNCTION rs.timestamp_cmp_timestamptz(a timestamp, b timestamptz) RETURNS integer LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$ SELECT pg_catalog.timestamptz_cmp($1, $2) $$;
CREATE FUNCTION rs.timestamptz_cmp_timestamp(a timestamptz, b timestamp) RETURNS integer LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$ SELECT pg_catalog.timestamptz_cmp($1, $2) $$;
CREATE FUNCTION rs.timestamptz_cmp_date(a timestamptz, b date) RETURNS integer LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$ SELECT pg_catalog.timestamptz_cmp($1, $2) $$;
CREATE FUNCTION rs.date_cmp_timestamptz(a date, b timestamptz) RETURNS integer LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$ SELECT pg_catalog.timestamptz_cmp($1, $2) $$;
CREATE FUNCTION rs.interval_cmp(a interval, b interval) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT pg_catalog.interval_cmp($1, $2) $$;

-- TO_DATE takes a day that its month has not as one of the next, unless it is strict.
CREATE FUNCTION rs.to_date(value text, format text, strict boolean) RETURNS date LANGUAGE plpgsql STABLE STRICT AS $$
DECLARE
  pattern text := replace(replace(replace(regexp_replace(upper(format), '[^A-Z]', '\\D*'), 'YYYY', '(\d{4})'), 'MM', '(\d{1,2})'), 'DD', '(\d{1,2})');
  parts text[];
  ymd integer[];
BEGIN
  RETURN pg_catalog.to_date(value, format);
EXCEPTION WHEN datetime_field_overflow THEN
  parts := regexp_match(value, '^\s*' || replace(pattern, '\\D*', '\D*'));
  IF parts IS NULL OR cardinality(parts) <> 3 THEN RAISE; END IF;
  SELECT array_agg(parts[n]::integer ORDER BY word) INTO ymd
    FROM (SELECT word, row_number() OVER (ORDER BY strpos(upper(format), word)) AS n FROM unnest(ARRAY['YYYY', 'MM', 'DD']) AS words(word)) AS places;
  -- by their words: DD, MM, YYYY
  IF strict THEN
    RAISE EXCEPTION USING ERRCODE = '22008', MESSAGE = format('date/time field date value out of range: %s-%s-%s', ymd[3], ymd[2], ymd[1]);
  END IF;
  RETURN (make_date(ymd[3], 1, 1) + make_interval(months => ymd[2] - 1))::date + ymd[1] - 1;
END $$;
CREATE FUNCTION rs.to_date(value text, format text) RETURNS date LANGUAGE sql STABLE STRICT AS $$ SELECT rs.to_date($1, $2, false) $$;
CREATE FUNCTION rs.to_timestamp(value text, format text) RETURNS timestamptz LANGUAGE sql STABLE STRICT AS $$ SELECT pg_catalog.to_timestamp($1, $2) $$;
CREATE FUNCTION rs.to_timestamp(value text, format text, strict boolean) RETURNS timestamptz LANGUAGE sql STABLE STRICT AS $$ SELECT pg_catalog.to_timestamp($1, $2) $$;

-- A timestamp is formatted as one of the session's zone, so that TZ has a name.
CREATE FUNCTION rs.to_char(value timestamp, format text) RETURNS text LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN $2 ~* 'tz|of' THEN pg_catalog.to_char($1::timestamptz, $2) ELSE pg_catalog.to_char($1, $2) END
$$;
CREATE FUNCTION rs.to_char(value date, format text) RETURNS text LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$ SELECT rs.to_char($1::timestamp, $2) $$;
CREATE FUNCTION rs.to_char(value timestamptz, format text) RETURNS text LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$ SELECT pg_catalog.to_char($1, $2) $$;
CREATE FUNCTION rs.to_char(value interval, format text) RETURNS text LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$ SELECT pg_catalog.to_char($1, $2) $$;
CREATE FUNCTION rs.to_char(value integer, format text) RETURNS text LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$ SELECT pg_catalog.to_char($1, $2) $$;
CREATE FUNCTION rs.to_char(value bigint, format text) RETURNS text LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$ SELECT pg_catalog.to_char($1, $2) $$;
CREATE FUNCTION rs.to_char(value numeric, format text) RETURNS text LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$ SELECT pg_catalog.to_char($1, $2) $$;
CREATE FUNCTION rs.to_char(value double precision, format text) RETURNS text LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$ SELECT pg_catalog.to_char($1, $2) $$;
