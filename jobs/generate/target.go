package generate

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/starlift-etl/starlift/pipeline/awsapi"
)

// target is a service that records are sent to. One goroutine uses it, but for write.
type target interface {
	// open finds the stream or table, and makes it where create says so and there is none.
	open(ctx context.Context, create bool) error
	// pack makes entries of a line, which it does not keep. There may be none yet.
	pack(line []byte) ([]*entry, error)
	// rest makes entries of what pack has kept.
	rest() []*entry
	// limits are those of one request.
	limits() requestLimits
	// write sends entries, of which no two have the same order. It returns those that the
	// service did not take this time, and why. Several requests may be at work at once.
	write(ctx context.Context, batch []*entry) (refused []*entry, reason string, err error)
}

// entry is a part of a request.
type entry struct {
	// order names what entries have an order of: an item, or a range of hash keys.
	order string
	size  int // in bytes, as the service counts
	// records is how many of ours it holds.
	records int
	value   any // of the target
}

// requestLimits bound a request.
type requestLimits struct {
	entries, bytes int
	parallel       int // requests at once
}

// address is what --to says.
type address struct {
	service string // kinesis or dynamodb
	name    string // of a stream or table, or its ARN
}

var names = map[string]struct {
	pattern *regexp.Regexp
	what    string
}{
	"kinesis":  {regexp.MustCompile(`^([a-zA-Z0-9_.-]{1,128}|arn:aws[a-z-]*:kinesis:[a-z0-9-]+:[0-9]{12}:stream/[a-zA-Z0-9_.-]{1,128})$`), "a stream"},
	"dynamodb": {regexp.MustCompile(`^([a-zA-Z0-9_.-]{3,255}|arn:aws[a-z-]*:dynamodb:[a-z0-9-]+:[0-9]{12}:table/[a-zA-Z0-9_.-]{3,255})$`), "a table"},
}

// parseAddress reads --to.
func parseAddress(to string) (address, error) {
	service, name, ok := strings.Cut(to, "://")
	known := names[service]
	switch {
	case !ok || known.pattern == nil:
		return address{}, fmt.Errorf("%w: --to %q: want kinesis://STREAM or dynamodb://TABLE", ErrUsage, to)
	case !known.pattern.MatchString(name):
		return address{}, fmt.Errorf("%w: --to %q: %q is not the name of %s, nor its ARN", ErrUsage, to, name, known.what)
	}
	return address{service, name}, nil
}

// newTarget returns the target of an address.
func newTarget(a address, cfg awsapi.Config, lines reader, aggregate bool, count func(reason string)) target {
	retry := awsapi.Retry{Attempts: callAttempts, Timeout: callTimeout, Count: count}
	if a.service == "kinesis" {
		return &kinesisStream{name: a.name, cfg: cfg, lines: lines, retry: retry, aggregate: aggregate}
	}
	return &itemTable{name: a.name, cfg: cfg, lines: lines, retry: retry}
}

const (
	// callAttempts is how often a call is made that fails as a whole: for about two minutes, where
	// there is no connection.
	callAttempts = 30
	// openAttempts is the same of the first calls: what is wrong then is most likely a flag.
	openAttempts = 4
	// callTimeout is how long one may take.
	callTimeout = 30 * time.Second
	// activeTimeout is how long a stream or table may take to be there.
	activeTimeout = 5 * time.Minute
	activePause   = 500 * time.Millisecond
)

// waitActive asks until a stream or table is there.
func waitActive(ctx context.Context, what string, active func(ctx context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, activeTimeout)
	defer cancel()
	for {
		ready, err := active(ctx)
		if err != nil || ready {
			return err
		}
		if err := awsapi.Sleep(ctx, activePause); err != nil {
			return fmt.Errorf("%s does not become active: %w", what, err)
		}
	}
}
