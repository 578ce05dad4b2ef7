-- The types that PostgreSQL has not. What reads and writes their text is PostgreSQL's own.

CREATE TYPE rs.super;
CREATE FUNCTION rs.super_in(cstring) RETURNS rs.super LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'json_in';
CREATE FUNCTION rs.super_out(rs.super) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'json_out';
CREATE FUNCTION rs.super_recv(internal) RETURNS rs.super LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'json_recv';
CREATE FUNCTION rs.super_send(rs.super) RETURNS bytea LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'json_send';
-- SUPER is compact JSON: the order of an object's keys stays, and so do the digits of numbers.
CREATE TYPE rs.super (INPUT = rs.super_in, OUTPUT = rs.super_out, RECEIVE = rs.super_recv, SEND = rs.super_send, INTERNALLENGTH = VARIABLE, STORAGE = extended);

CREATE TYPE rs.varbyte;
CREATE FUNCTION rs.varbyte_in(cstring) RETURNS rs.varbyte LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'byteain';
CREATE FUNCTION rs.varbyte_out(rs.varbyte) RETURNS cstring LANGUAGE internal STABLE STRICT PARALLEL SAFE AS 'byteaout';
CREATE FUNCTION rs.varbyte_recv(internal) RETURNS rs.varbyte LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'bytearecv';
CREATE FUNCTION rs.varbyte_send(rs.varbyte) RETURNS bytea LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'byteasend';
CREATE TYPE rs.varbyte (INPUT = rs.varbyte_in, OUTPUT = rs.varbyte_out, RECEIVE = rs.varbyte_recv, SEND = rs.varbyte_send, INTERNALLENGTH = VARIABLE, STORAGE = extended,
  TYPMOD_IN = pg_catalog.varchartypmodin, TYPMOD_OUT = pg_catalog.varchartypmodout);

-- The spatial types and the sketch are kept as their text. Their functions are not here.
CREATE TYPE rs.geometry;
CREATE FUNCTION rs.geometry_in(cstring) RETURNS rs.geometry LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'textin';
CREATE FUNCTION rs.geometry_out(rs.geometry) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'textout';
CREATE TYPE rs.geometry (INPUT = rs.geometry_in, OUTPUT = rs.geometry_out, INTERNALLENGTH = VARIABLE, STORAGE = extended);

CREATE TYPE rs.geography;
CREATE FUNCTION rs.geography_in(cstring) RETURNS rs.geography LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'textin';
CREATE FUNCTION rs.geography_out(rs.geography) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'textout';
CREATE TYPE rs.geography (INPUT = rs.geography_in, OUTPUT = rs.geography_out, INTERNALLENGTH = VARIABLE, STORAGE = extended);

CREATE TYPE rs.hllsketch;
CREATE FUNCTION rs.hllsketch_in(cstring) RETURNS rs.hllsketch LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'textin';
CREATE FUNCTION rs.hllsketch_out(rs.hllsketch) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'textout';
CREATE TYPE rs.hllsketch (INPUT = rs.hllsketch_in, OUTPUT = rs.hllsketch_out, INTERNALLENGTH = VARIABLE, STORAGE = extended);

-- Ways between the types and those of PostgreSQL below them, for the functions here. They are
-- explicit, and no client's: the translation writes casts by the functions that Redshift means.
CREATE CAST (rs.super AS json) WITHOUT FUNCTION;
CREATE CAST (json AS rs.super) WITHOUT FUNCTION;
CREATE CAST (rs.varbyte AS bytea) WITHOUT FUNCTION;
CREATE CAST (bytea AS rs.varbyte) WITHOUT FUNCTION;
