package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/goleak"

	"github.com/starlift-etl/starlift/pipeline/pgconn/pgserver"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/faults"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestServe starts the command and connects by the first line that it prints.
func TestServe(t *testing.T) {
	if pgserver.Bin() == "" && os.Getenv("CI") == "" {
		t.Skip(pgserver.ErrNone)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out, in := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, []string{"-listen", "127.0.0.1:0", "-database", "shop", "-database", "other", "-isolation", "serializable", "-fault", "1018@^select 2"}, in, io.Discard)
		done <- errors.Join(err, in.CloseWithError(io.EOF))
	}()
	dsn, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(errors.Join(err, <-done))
	}
	dsn = strings.TrimSpace(dsn)
	if !strings.HasPrefix(dsn, "postgres://awsuser:any@127.0.0.1:") || !strings.HasSuffix(dsn, "/shop?sslmode=disable") {
		t.Errorf("the first line is %q", dsn)
	}
	for _, database := range []string{"/shop", "/other"} {
		c, err := pgconn.Connect(t.Context(), strings.Replace(dsn, "/shop", database, 1))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Exec(t.Context(), "select 1").ReadAll(); err != nil {
			t.Error(err)
		}
		if err := c.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestFlags(t *testing.T) {
	o, err := parse([]string{
		"-s3-endpoint", "http://127.0.0.1:9000", "-password", "etl=a=b", "-fault", "late:2:1s@^commit", "-fault", "throttle",
		"-refuse-role", "arn:aws:iam::1:role/no", "-deny-bucket", "secret", "-serverless", "-tls",
	}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if o.Listen != "127.0.0.1:5439" || o.Load.Endpoint != "http://127.0.0.1:9000" || o.Passwords["etl"] != "a=b" || len(o.Faults) != 2 ||
		o.Faults[0].Kind != faults.Late || o.Load.RefusedRoles[0] != "arn:aws:iam::1:role/no" || o.Load.DeniedBuckets[0] != "secret" || !o.Serverless || !o.SelfSigned {
		t.Errorf("%+v", o)
	}
	for _, args := range [][]string{{"-isolation", "dirty"}, {"-fault", "nothing"}, {"-password", "etl"}, {"extra"}, {"-unheard"}} {
		if _, err := parse(args, io.Discard); err == nil {
			t.Errorf("%q was taken", args)
		}
	}
	var help bytes.Buffer
	if _, err := parse([]string{"-h"}, &help); !errors.Is(err, flag.ErrHelp) || !strings.Contains(help.String(), "lost-after") {
		t.Errorf("%v: %s", err, help.String())
	}
}

// TestBadEndpoint: what is no URL of an S3 server is refused at the start, and not by each COPY.
func TestBadEndpoint(t *testing.T) {
	for _, endpoint := range []string{"127.0.0.1:9000", "localhost:9000", "not a url", "s3://bucket", "http://", "http://%zz"} {
		err := run(t.Context(), []string{"-listen", "127.0.0.1:0", "-s3-endpoint", endpoint}, io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), "the S3 endpoint") {
			t.Errorf("%q: %v", endpoint, err)
		}
	}
}

// TestReadme: it names every flag and every fault.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range faults.Kinds() {
		if !bytes.Contains(readme, []byte("| `"+string(k)+"`")) && !bytes.Contains(readme, []byte(", `"+string(k)+"` |")) {
			t.Errorf("the fault %s is not in the table", k)
		}
	}
	var help bytes.Buffer
	if _, err := parse([]string{"-h"}, &help); !errors.Is(err, flag.ErrHelp) {
		t.Fatal(err)
	}
	for line := range strings.Lines(help.String()) {
		if name, ok := strings.CutPrefix(line, "  -"); ok {
			name, _, _ = strings.Cut(strings.TrimSpace(name), " ")
			if !bytes.Contains(readme, []byte("`-"+name+"`")) {
				t.Errorf("the flag %s is not in the table", name)
			}
		}
	}
}
