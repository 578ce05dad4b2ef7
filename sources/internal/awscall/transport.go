package awscall

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// StallTimeout is how long nothing may come of an answer that was asked for: services answer
// in well under a second, and a connection that is half open never.
const StallTimeout = 8 * time.Second

// Transport sends requests. It ends one of which no byte has come for a while, however large
// the answer is and however slow the way, and tells the clock the time of each answer.
type Transport struct {
	Next  aws.HTTPClient
	Clock *Clock
	Stall time.Duration // StallTimeout, but in tests
}

type stallKey struct{}

// WithStall returns a context whose requests have another Stall.
func WithStall(ctx context.Context, stall time.Duration) context.Context {
	return context.WithValue(ctx, stallKey{}, stall)
}

// Do implements aws.HTTPClient. The context of the request ends it until its answer is read to the end,
// and not afterwards: callers end theirs at once then, which may be before the connection is back among
// those that are idle, and would be closed instead.
func (t *Transport) Do(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(r.Context()))
	stall, other := r.Context().Value(stallKey{}).(time.Duration)
	if !other {
		stall = t.Stall
	}
	b := &body{ctx: ctx, cancel: cancel, stall: stall, stalled: fmt.Errorf("nothing of the answer came for %s: %w", stall, os.ErrDeadlineExceeded)}
	b.unlink = context.AfterFunc(r.Context(), func() { cancel(context.Cause(r.Context())) })
	b.timer = time.AfterFunc(stall, func() { cancel(b.stalled) })
	answer, err := t.Next.Do(r.WithContext(ctx))
	if err != nil {
		err = b.reason(err)
		b.end()
		return nil, err
	}
	b.timer.Stop()
	t.Clock.Observe(answer.Header)
	b.ReadCloser = answer.Body
	answer.Body = b
	return answer, nil
}

// body is that of an answer.
type body struct {
	io.ReadCloser
	ctx     context.Context //nolint:containedctx // of the request, which ends with the body
	cancel  context.CancelCauseFunc
	unlink  func() bool // lets the caller's context end without ending the request
	timer   *time.Timer
	stall   time.Duration
	stalled error
	whole   bool // it was read to its end
}

// Read counts the time only in which it waits: whoever lets what comes wait has not been left alone.
func (b *body) Read(p []byte) (int, error) {
	b.timer.Reset(b.stall)
	n, err := b.ReadCloser.Read(p)
	b.timer.Stop()
	switch {
	case errors.Is(err, io.EOF):
		b.whole = true
		b.unlink()
	case err != nil:
		err = b.reason(err)
	}
	return n, err
}

func (b *body) Close() error {
	if !b.whole {
		b.end()
	}
	return b.ReadCloser.Close()
}

// end ends the request.
func (b *body) end() {
	b.timer.Stop()
	b.unlink()
	b.cancel(nil)
}

// reason returns why the request was ended, where that is what an error says.
func (b *body) reason(err error) error {
	if cause := context.Cause(b.ctx); cause != nil {
		return cause
	}
	return err
}
