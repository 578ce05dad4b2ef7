-- A flush that a lost connection has left in doubt, and that was committed: the token says so, and nothing is changed.

BEGIN;

LOCK "dwh"."starlift_token_0123456789abcdef";

SELECT "epoch" FROM "dwh"."starlift_token_0123456789abcdef" WHERE "pipeline" = $1 AND "state_id" = $2 AND "sink" = $3;
-- $1 = shop, $2 = state-1, $3 = warehouse

COMMIT;
