package server

import (
	"context"
	"errors"
	"regexp"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/locks"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/names"
)

// missingRelation is what is said of a relation that there is not.
var missingRelation = regexp.MustCompile(`^(?:relation|[Tt]able|[Vv]iew) "([^"]*)" does not exist$`)

const (
	// The catalog's own functions look at what is committed now, and queries of it at the
	// transaction's snapshot.
	committedSQL = `SELECT to_regclass($1)::oid`
	snapshotSQL  = `SELECT c.oid FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
		WHERE c.relname = $2 AND (n.nspname = $1 OR $1 = '' AND n.nspname = ANY(current_schemas(true)))`
)

// missing says of a relation that does not exist whether that is the work of another
// transaction, since this one's snapshot: one that came after it is 1018, and one that was
// dropped a conflict. Otherwise the error stays what it is.
func (s *session) missing(ctx context.Context, err error) error {
	var e *pgconn.PgError
	if !s.tx.snapshot || !errors.As(err, &e) {
		return err
	}
	match := missingRelation.FindStringSubmatch(e.Message)
	if match == nil {
		return err
	}
	schema, name, qualified := strings.Cut(match[1], ".")
	if !qualified {
		schema, name = "", match[1]
	}
	schema, name = names.Short(schema), names.Short(name)
	path := quoteName(name)
	if qualified {
		path = quoteName(schema) + "." + path
	}
	for _, lookUp := range []struct {
		sql  string
		args []string
	}{{committedSQL, []string{path}}, {snapshotSQL, []string{schema, name}}} {
		rows, failed := s.pg.Query(ctx, lookUp.sql, lookUp.args...)
		if failed != nil {
			return errors.Join(err, failed)
		}
		if len(rows) == 0 || rows[0][0].Null {
			continue
		}
		oid, failed := strconv.ParseUint(rows[0][0].Text, 10, 32)
		if failed != nil {
			return errors.Join(err, failed)
		}
		use := locks.TableUse{Table: locks.Table{Database: s.databaseOID, OID: uint32(oid)}, Action: locks.ActionSelect}
		if refused := s.tx.locks.Admit(ctx, []locks.TableUse{use}, nil); refused != nil {
			return refused
		}
	}
	return err
}
