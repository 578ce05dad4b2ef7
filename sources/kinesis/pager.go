package kinesis

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/starlift-etl/starlift/sources/kinesis/page"
)

// pager brings the pages of one shard, one behind the other, from a place that its reader gives. There
// are two: a poller asks for each, and a subscriber is sent them (enhanced fan-out). What a page
// means, which places there are and what is lost is the reader's to know, and the same for both.
type pager interface {
	// seek sets where the next page begins. Errors are those of the service, or of the way there.
	seek(ctx context.Context, at startingPosition) error
	// next returns the next page, if there is one, with no more bytes than allowed as far as
	// that can be chosen. A *lostPosition says that seek is to be called first.
	next(ctx context.Context, allowance int) (answer, error)
	// took is told what became of the last page, nil = there was none, and returns how long to wait for the next.
	took(a answer, o outcome) time.Duration
	// failed returns the least time to wait after an error of the service; 0 = the runner's.
	failed(err error) time.Duration
	// close ends what runs.
	close() error
}

// startingPosition is a place in a shard, as the service is told of it.
type startingPosition struct {
	kind     types.ShardIteratorType
	sequence *string
	time     *time.Time
}

// answer is what the service says next.
type answer struct {
	page *page.Page // nil = nothing has come
	// made is a time, by the service's clock, at which the page was not made yet; zero = not known.
	made  time.Time
	ended bool // nothing will ever come behind the page
}

// outcome is what became of a page.
type outcome struct {
	began    time.Time  // when it was asked for, by our clock
	bytes    int        // of its data and partition keys, as the service counts them
	unpacked int        // bytes of the records that were taken
	records  int        // that were taken of the page
	rest     *page.Page // what was not taken, and has to be given again; nil = all was
	caughtUp bool       // nothing more is known to be there
}

// lostPosition says that a pager does not know where to go on.
type lostPosition struct{ err error } // why it does not any longer; nil = it never did

func (l *lostPosition) Error() string {
	if l.err == nil {
		return "no place was set"
	}
	return l.err.Error()
}
