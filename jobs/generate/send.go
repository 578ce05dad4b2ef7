package generate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/starlift-etl/starlift/jobs/terminal"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// destination is what the flags say of sending to a service.
type destination struct {
	to                string
	region, endpoint  string
	aggregate, create bool
}

// sendingFlags are those that have no meaning without --to.
var sendingFlags = []string{"region", "endpoint", "aggregate", "create"}

// deliveryFlags are those of a delivery that a table does not have: its changes come once, in order.
var deliveryFlags = []string{"duplicates", "late", "window"}

// addFlags defines the flags of sending.
func (d *destination) addFlags(all *pflag.FlagSet) {
	all.StringVar(&d.to, "to", "", "send the records to kinesis://STREAM, or as puts and deletes of items to dynamodb://TABLE, instead of writing them")
	all.StringVar(&d.region, "region", "", "with --to: the AWS region (default that of the environment)")
	all.StringVar(&d.endpoint, "endpoint", "", "with --to: the service's URL, where it is not AWS's own")
	all.BoolVar(&d.aggregate, "aggregate", false, "with --to kinesis://…: many records in one, as the Kinesis Producer Library aggregates them")
	all.BoolVar(&d.create, "create", false, "with --to: make the stream or table, on demand, if there is none")
}

// checkSending returns the mistakes in which flags of sending were given.
func (r *request) checkSending(flags *pflag.FlagSet, f *form, kind string) error {
	var errs []error
	refuse := func(names []string, why string) {
		for _, name := range names {
			if flags.Changed(name) {
				errs = append(errs, fmt.Errorf("%w: --%s %s", ErrUsage, name, why))
			}
		}
	}
	if r.to == "" {
		refuse(sendingFlags, "has no meaning without --to")
		if !f.timed {
			refuse([]string{"rate"}, fmt.Sprintf("has no meaning for %s --form %s without --to", kind, f.name))
		}
		return errors.Join(errs...)
	}
	to, err := parseAddress(r.to)
	if err != nil {
		errs = append(errs, err)
	}
	refuse([]string{"out"}, "and --to exclude each other")
	if to.service == "dynamodb" {
		refuse([]string{"aggregate"}, "has no meaning for dynamodb://: it is Kinesis that has aggregates")
		refuse(deliveryFlags, "has no meaning for dynamodb://: a table is written once, in order")
	}
	cfg := r.config()
	for _, mistake := range cfg.Check() {
		errs = append(errs, fmt.Errorf("%w: --endpoint: %w", ErrUsage, mistake))
	}
	return errors.Join(errs...)
}

func (d *destination) config() awsapi.Config {
	return awsapi.Config{Region: d.region, Endpoint: d.endpoint}
}

// finishWithin is how long a stop waits until what was taken is sent.
const finishWithin = 10 * time.Second

// send runs a form, and sends its lines. A first signal to stop ends it once what was taken is sent; it is
// no error then, unless a truth was asked for, which there is none of.
func (k *kind) send(cmd *cobra.Command, r *request, f *form) (Stats, error) {
	stop, release := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer release()
	sending, cancel := context.WithCancel(context.WithoutCancel(cmd.Context()))
	defer cancel()
	defer context.AfterFunc(stop, func() {
		release() // a second signal ends the process
		time.AfterFunc(finishWithin, cancel)
	})()
	to, err := parseAddress(r.to)
	if err != nil {
		return Stats{}, err
	}
	if to.service == "dynamodb" {
		r.options.Duplicates, r.options.Late = 0, 0
	}
	var retries atomic.Int64
	target := newTarget(to, r.config(), reader{changes: f.name == "cdc", keys: k.keys}, r.aggregate, func(string) { retries.Add(1) })
	if err := target.open(stop, r.create); err != nil {
		return Stats{}, err
	}
	rate := 0
	if cmd.Flags().Changed("rate") {
		rate = r.options.Rate
	}
	s := newSender(stop, sending, target, rate)
	end := s.showOn(cmd.ErrOrStderr())
	began := time.Now()
	stats, err := f.run(stop, r, s)
	interrupted := stop.Err() != nil && errors.Is(err, stop.Err())
	if interrupted {
		err = s.Finish()
	}
	end()
	stats.To, stats.Sent, stats.SentAgain, stats.Requests, stats.Retries = r.to, s.sent, s.refused, s.requests, retries.Load()
	stats.Seconds, stats.Interrupted = float64(time.Since(began).Round(time.Millisecond))/float64(time.Second), interrupted
	switch {
	case err != nil:
		return stats, fmt.Errorf("%s, after %d records: %w", r.to, s.sent, err)
	case interrupted && r.truth != "":
		return stats, fmt.Errorf("%s: interrupted after %d records: there is no truth of them", r.to, s.sent)
	}
	return stats, nil
}

// showOn shows progress on a terminal, and returns what ends that.
func (s *sender) showOn(w io.Writer) (end func()) {
	if !terminal.Is(w) {
		return func() {}
	}
	console := terminal.NewConsole(w)
	s.show = func(s *sender) { console.Draw(s.line()) }
	return func() { console.End(s.line()) }
}

// line says how far the sending is.
func (s *sender) line() string {
	line := spec.Count(s.sent, "record") + " sent"
	if took := s.now().Sub(s.begun).Seconds(); took > 0 && !s.begun.IsZero() {
		line += fmt.Sprintf(", %.0f a second", float64(s.sent)/took)
	}
	if s.refused > 0 {
		line += fmt.Sprintf("; %d sent again (%s)", s.refused, s.reason)
	}
	return line
}

// withSending returns the flags of a form whose lines can be sent.
func withSending(flags ...string) []string {
	flags = append(flags, "to")
	if !slices.Contains(flags, "rate") {
		flags = append(flags, "rate")
	}
	return append(flags, sendingFlags...)
}
