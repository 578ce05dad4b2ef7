package pgconn

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"slices"
	"strings"

	pgx "github.com/jackc/pgx/v5/pgconn"

	"github.com/starlift-etl/starlift/pipeline"
)

// transientReasons are the SQLSTATEs, or their classes, that time can heal, and what a
// metric calls them.
var transientReasons = map[string]string{
	"08":    "connection", // connection exceptions
	"40":    "conflict",   // serialization failures and deadlocks
	"53":    "resources",  // disk, memory or connections are used up
	"57":    "server",     // shut down, starting, cancelled by an administrator or a timeout
	"55P03": "lock",       // lock_timeout
	"25006": "read_only",  // a standby: the primary has moved
	"25P03": "connection", // idle_in_transaction_session_timeout
	"26000": "connection", // a statement that was prepared is not there: it is another session,
	"42P05": "connection", // or one is there of that name
	"58000": "server",     // system error
	"58030": "server",     // I/O error
	"XX000": "",           // internal errors are not
	"57P04": "",           // the database was dropped
}

// Classify marks an error that time can heal, so that the engine repeats the
// whole transaction.
func Classify(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil || pipeline.Retryable(err) {
		return err
	}
	if why := transientReason(err); why != "" {
		return pipeline.TransientFor(why, err)
	}
	return err
}

// transientReason names the reason why the same may succeed later; empty = it won't.
func transientReason(err error) string {
	var server *pgx.PgError
	if errors.As(err, &server) {
		if why, ok := transientReasons[server.Code]; ok {
			return why
		}
		return transientReasons[server.Code[:min(2, len(server.Code))]]
	}
	var certificate *tls.CertificateVerificationError
	if errors.As(err, &certificate) {
		return ""
	}
	// A file of this machine, as one of the spool that a transaction reads: its errno would be taken for
	// the network's.
	if file := (*fs.PathError)(nil); errors.As(err, &file) {
		return ""
	}
	var network net.Error
	switch {
	case errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed),
		errors.Is(err, context.DeadlineExceeded), pgx.SafeToRetry(err), strings.Contains(err.Error(), "conn closed"):
		return "connection"
	}
	return ""
}

// Code returns the SQLSTATE of an error of the server; empty = it is not one.
func Code(err error) string {
	var server *pgx.PgError
	if errors.As(err, &server) {
		return server.Code
	}
	return ""
}

// InClass tells whether an error of the server has one of some SQLSTATEs, or of their
// classes, which have two characters.
func InClass(err error, states ...string) bool {
	state := Code(err)
	return state != "" && (slices.Contains(states, state) || slices.Contains(states, state[:min(2, len(state))]))
}

// Message returns the server's message of an error, and its SQLSTATE.
func Message(err error) string {
	var server *pgx.PgError
	if !errors.As(err, &server) {
		return err.Error()
	}
	return fmt.Sprintf("%s (SQLSTATE %s)", server.Message, server.Code)
}
