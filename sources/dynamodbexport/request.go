package dynamodbexport

import (
	"context"
	"io"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/sources/internal/exportrequest"
)

// requestSource asks for a full export, waits for it, and reads it, once.
type requestSource struct{ *sequence }

var (
	_ pipeline.Source         = (*requestSource)(nil)
	_ pipeline.SizeReporter   = (*requestSource)(nil)
	_ pipeline.WaitReporter   = (*requestSource)(nil)
	_ pipeline.PhaseReporter  = (*requestSource)(nil)
	_ pipeline.OldestReporter = (*requestSource)(nil)
	_ pipeline.Rewinder       = (*requestSource)(nil)
)

func newRequestSource(s *Source) *requestSource {
	return &requestSource{newSequence(s, requestCursor, request)}
}

// request is the script of a requestSource.
func request(ctx context.Context, r *session) error {
	again := r.progress != nil && r.progress.ARN != ""
	if r.progress == nil {
		p := progress{Request: &exportrequest.Request{ID: exportrequest.NewID(), Asked: r.env.Now().UTC()}}
		if err := r.save(ctx, p, 1, nil); err != nil {
			return err
		}
	}
	err := r.made(ctx)
	if again && lasts(err) { // so it was when the process ended: somebody has mended what was wrong
		if err = r.askAgain(ctx); err == nil {
			err = r.made(ctx)
		}
	}
	if err != nil {
		return err
	}
	if _, err := r.readExport(ctx); err != nil {
		return err
	}
	return io.EOF
}

// made returns once DynamoDB has made the export of the request that is saved.
func (r *session) made(ctx context.Context) error {
	if err := r.ask(ctx); err != nil {
		return err
	}
	return r.await(ctx)
}

// Rewind implements pipeline.Rewinder: another export is asked for. What a schedule has saved stays.
func (s *requestSource) Rewind(cursors map[string][]byte) (map[string][]byte, error) {
	if raw := cursors[scheduleCursor]; raw != nil {
		return map[string][]byte{scheduleCursor: raw}, nil
	}
	return nil, nil
}

// oldestMargin is how much older than now the items of an export may be that is asked for now: its
// edge, and what the clocks may differ.
const oldestMargin = 10 * time.Minute

// Oldest implements pipeline.OldestReporter: the export is made now.
func (s *requestSource) Oldest() (int64, error) {
	return pipeline.NewEnv().Now().Add(-oldestMargin).UnixMicro(), nil
}
