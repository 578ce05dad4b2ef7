package kinesis

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

// stallTimeout is how long nothing may come of an answer that was asked for: the service answers
// in well under a second, and a connection that is half open never.
const stallTimeout = 8 * time.Second

// transport sends requests. It ends one of which no byte has come for a while, however large
// the answer is and however slow the way, and tells the clock the time of each answer.
type transport struct {
	next  aws.HTTPClient
	clock *clock
	stall time.Duration
}

// Do implements aws.HTTPClient.
func (t *transport) Do(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	stalled := fmt.Errorf("nothing of the answer came for %s: %w", t.stall, os.ErrDeadlineExceeded)
	timer := time.AfterFunc(t.stall, func() { cancel(stalled) })
	answer, err := t.next.Do(r.WithContext(ctx))
	if err != nil {
		timer.Stop()
		if errors.Is(context.Cause(ctx), stalled) {
			err = stalled
		}
		cancel(nil)
		return nil, err
	}
	t.clock.observe(answer.Header)
	answer.Body = &body{ReadCloser: answer.Body, ctx: ctx, cancel: cancel, timer: timer, stall: t.stall, stalled: stalled}
	return answer, nil
}

// body is that of an answer.
type body struct {
	io.ReadCloser
	ctx     context.Context //nolint:containedctx // of the request that the body ends
	cancel  context.CancelCauseFunc
	timer   *time.Timer
	stall   time.Duration
	stalled error
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.timer.Reset(b.stall)
	}
	if err != nil && !errors.Is(err, io.EOF) && errors.Is(context.Cause(b.ctx), b.stalled) {
		err = b.stalled
	}
	return n, err
}

func (b *body) Close() error {
	b.timer.Stop()
	b.cancel(nil)
	return b.ReadCloser.Close()
}
