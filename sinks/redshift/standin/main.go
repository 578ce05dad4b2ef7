// Command standin serves a stand-in for Amazon Redshift on this machine, for tests without
// a cluster:
//
//	go run ./sinks/redshift/standin -listen 127.0.0.1:0 -s3-endpoint http://127.0.0.1:9000
//
// Its first line of output is the connection string of the first database. It serves until
// it is interrupted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/backend"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/faults"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/server"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "standin:", err)
		os.Exit(1)
	}
}

// run serves until the context ends.
func run(ctx context.Context, args []string, out, logs io.Writer) error {
	options, err := parse(args, logs)
	if err != nil {
		return err
	}
	s, err := server.Start(ctx, options)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out, s.DSN("")); err != nil {
		return errors.Join(err, s.Close())
	}
	<-ctx.Done()
	return s.Close()
}

// parse reads the flags.
func parse(args []string, logs io.Writer) (server.Options, error) {
	var o server.Options
	flags := flag.NewFlagSet("standin", flag.ContinueOnError)
	flags.SetOutput(logs)
	flags.StringVar(&o.Listen, "listen", "127.0.0.1:5439", "the `address` to listen on; port 0 takes a free one")
	flags.StringVar(&o.Load.Endpoint, "s3-endpoint", "", "the `URL` of an S3 server for COPY and UNLOAD; empty is AWS's own")
	flags.StringVar(&o.Load.Region, "s3-region", "", "the buckets' `region`; empty is us-east-1")
	flags.Func("database", "the `name` of a database, dev if there is none; may be repeated", func(name string) error {
		o.Databases = append(o.Databases, name)
		return nil
	})
	flags.StringVar(&o.Postgres, "postgres", "", "the `DSN` of a superuser of a PostgreSQL server, 13 or newer; empty starts a private one of this machine's packages")
	flags.StringVar((*string)(&o.Isolation), "isolation", "snapshot", "the databases' isolation `level`: snapshot or serializable")
	flags.StringVar(&o.User, "user", "awsuser", "the superuser's `name`")
	flags.Func("password", "a `user=password` that is checked; any password does for other users; may be repeated", func(text string) error {
		user, password, ok := strings.Cut(text, "=")
		if !ok {
			return errors.New("want user=password")
		}
		if o.Passwords == nil {
			o.Passwords = map[string]string{}
		}
		o.Passwords[user] = password
		return nil
	})
	flags.Func("fault", "a fault, as `kind[:count[:delay]][@pattern]` (1023:2@^commit, late:1:5s@^commit, throttle:3); may be repeated. Kinds: "+kinds(), func(text string) error {
		rule, err := faults.ParseRule(text)
		o.Faults = append(o.Faults, rule)
		return err
	})
	flags.Func("refuse-role", "the `ARN` of a role that COPY and UNLOAD may not assume; may be repeated", func(arn string) error {
		o.Load.RefusedRoles = append(o.Load.RefusedRoles, arn)
		return nil
	})
	flags.Func("deny-bucket", "the `name` of a bucket that denies access; may be repeated", func(bucket string) error {
		o.Load.DeniedBuckets = append(o.Load.DeniedBuckets, bucket)
		return nil
	})
	flags.BoolVar(&o.SelfSigned, "tls", false, "serve TLS with a certificate made at the start")
	flags.BoolVar(&o.Serverless, "serverless", false, "be a serverless workgroup: errors name its system tables")
	verbose := flags.Bool("log", false, "log sessions and statements to standard error")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if o.Isolation != backend.Snapshot && o.Isolation != backend.Serializable {
		return o, fmt.Errorf("isolation %q is neither snapshot nor serializable", o.Isolation)
	}
	if *verbose {
		o.Log = slog.New(slog.NewTextHandler(logs, nil))
	}
	return o, nil
}

func kinds() string {
	var names []string
	for _, k := range faults.Kinds() {
		names = append(names, string(k))
	}
	return strings.Join(names, ", ")
}
