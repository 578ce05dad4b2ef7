package pgconn

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"syscall"
	"testing"

	pgx "github.com/jackc/pgx/v5/pgconn"

	"github.com/starlift-etl/starlift/pipeline"
)

func TestReasons(t *testing.T) {
	server := func(code string) error { return fmt.Errorf("table x: %w", &pgx.PgError{Code: code}) }
	for _, tc := range []struct {
		err  error
		want string
	}{
		{server("40001"), "conflict"}, {server("40P01"), "conflict"}, {server("08006"), "connection"}, {server("53300"), "resources"},
		{server("57P01"), "server"}, {server("57014"), "server"}, {server("25006"), "read_only"}, {server("55P03"), "lock"},
		{server("57P04"), ""}, {server("XX000"), ""}, {server("23505"), ""}, {server("42P01"), ""}, {server("28P01"), ""}, {server("3D000"), ""}, {server(""), ""},
		{io.ErrUnexpectedEOF, "connection"}, {fmt.Errorf("x: %w", io.EOF), "connection"}, {&net.OpError{Op: "read", Err: syscall.ECONNRESET}, "connection"},
		{&net.DNSError{IsTimeout: true}, "connection"}, {&tls.CertificateVerificationError{Err: errors.New("x")}, ""}, {errors.New("x"), ""},
		{fmt.Errorf("x: %w", &fs.PathError{Op: "open", Path: "spool/1", Err: syscall.ENOENT}), ""},
	} {
		err := Classify(context.Background(), tc.err)
		if pipeline.Retryable(err) != (tc.want != "") || pipeline.RetryReason(err) != tc.want || !errors.Is(err, tc.err) {
			t.Errorf("%v: retried %v for %q, want %q", tc.err, pipeline.Retryable(err), pipeline.RetryReason(err), tc.want)
		}
	}
	stopped, stop := context.WithCancel(context.Background())
	stop()
	if err := Classify(stopped, io.EOF); pipeline.Retryable(err) {
		t.Error("what a stop has interrupted is tried again")
	}
}
