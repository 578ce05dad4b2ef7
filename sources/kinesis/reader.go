package kinesis

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
)

// reader reads a shard.
type reader struct {
	stream  *stream
	shard   string
	created time.Time // of the stream
	at      position  // behind the last record that was handed over
	// readUntil is up to when the shard is known to be read, by the service's clock; zero = not
	// known.
	readUntil time.Time
	pager     pager
	passing   bool // what the pager brings may lie before at: that is passed over
	// atHorizon says that reading begins at the trim horizon, because a first start, or a gap that
	// was accepted, has it so, and nothing was read yet.
	atHorizon bool
	last      heard
}

// heard is what a page has said last of how far behind it is.
type heard struct {
	at       time.Time // when it came, by our clock; zero = none has
	behind   time.Duration
	known    bool // behind is
	caughtUp bool
}

// OpenPartition implements pipeline.PartitionSource. Of the service it asks nothing, but now
// and then what the stream says of itself.
func (s *stream) OpenPartition(ctx context.Context, p pipeline.Partition, from pipeline.PartitionPosition) (pipeline.PartitionReader, error) {
	shard, created, err := parsePartitionName(p.Name)
	if err != nil {
		return nil, err
	}
	r := &reader{stream: s, shard: shard, created: created, readUntil: from.ReadUntil, pager: s.newPager(shard)}
	if len(from.Cursor) > 0 {
		if r.at, err = parsePosition(string(from.Cursor)); err != nil {
			return nil, err
		}
		r.atHorizon = r.at.kind == atTrimHorizon || r.at.kind == behindGap
	}
	d, err := s.describe(ctx, summaryAge)
	if err != nil {
		return nil, err
	}
	if !created.Equal(d.created) {
		return nil, r.madeAgain(d.created)
	}
	now := s.clock.Now()
	if gap := r.trimmed(d.retention, now); gap != nil {
		there, err := s.hasShard(ctx, shard)
		if err != nil {
			return nil, err
		}
		if !there {
			gap.Resume = nil
		}
		return nil, gap
	}
	if r.atHorizon {
		r.know(away(now, d.retention))
	}
	return r, nil
}

// know takes the time up to which the shard counts as read.
func (r *reader) know(until time.Time) {
	if until.After(r.readUntil) {
		r.readUntil = until
	}
}

// Close implements pipeline.PartitionReader.
func (r *reader) Close() error { return r.pager.close() }

// Read implements pipeline.PartitionReader.
func (r *reader) Read(ctx context.Context, allowance int) (pipeline.PartitionRecords, error) {
	began := r.stream.clock.Local()
	a, err := r.nextPage(ctx, allowance)
	switch {
	case errors.Is(err, errNothingLeft):
		return pipeline.PartitionRecords{ReadUntil: r.readUntil}, io.EOF
	case err != nil:
		return pipeline.PartitionRecords{Wait: r.pager.failed(err)}, err
	case a.page == nil:
		return r.nothing(), nil
	}
	if gap := r.lost(); gap != nil {
		a.page.Free()
		return pipeline.PartitionRecords{}, gap
	}
	read, o := r.take(a, allowance)
	if o.rest == nil && a.ended {
		read.Children = children(a.page.Children, r.created)
		return read, io.EOF
	}
	o.began = began
	read.Wait = r.pager.took(a, o)
	return read, nil
}

// heartbeat is how far apart pages that are sent by themselves may be, while there is nothing: the
// service sends one every few seconds.
const heartbeat = 7 * time.Second

// nothing says how the shard is when nothing has come of it: as it was told last, or, where
// the service has been silent for too long, that it may be behind.
func (r *reader) nothing() pipeline.PartitionRecords {
	read := pipeline.PartitionRecords{Lag: r.last.behind, LagKnown: r.last.known, CaughtUp: r.last.caughtUp}
	if silent := r.stream.clock.Local().Sub(r.last.at); silent > heartbeat {
		read.Lag, read.CaughtUp = read.Lag+silent, false
	}
	read.Wait = r.pager.took(answer{}, outcome{})
	return read
}

// lost returns what became of the shard that makes a page of it something else than what was to
// come next: other records were, or it is a shard of another stream; nil = nothing did. What the
// stream says of itself is as old as the last discovery.
func (r *reader) lost() *pipeline.GapError {
	d := r.stream.described.Known()
	if !r.created.Equal(d.created) {
		return r.madeAgain(d.created)
	}
	return r.trimmed(d.retention, r.stream.clock.Now())
}

// nextPage returns the next page.
func (r *reader) nextPage(ctx context.Context, allowance int) (answer, error) {
	for placed := false; ; placed = true {
		a, err := r.pager.next(ctx, allowance)
		var lost *lostPosition
		switch {
		case isCode(err, codeNotFound):
			return answer{}, r.missing(ctx, pipeline.TransientFor(awsapi.Unavailable, err))
		case !errors.As(err, &lost):
			return a, err
		case placed:
			return answer{}, lost.err
		}
		if err := r.seek(ctx); err != nil {
			return answer{}, err
		}
	}
}

// take makes records of a page: of the first of it only, where they take much more memory than allowed.
func (r *reader) take(a answer, allowance int) (read pipeline.PartitionRecords, o outcome) {
	p := a.page
	for i := range p.Records {
		o.bytes += len(p.PartitionKey(i)) // the service counts them too
	}
	o.bytes += len(p.Data)
	read = pipeline.PartitionRecords{Lag: p.Behind, LagKnown: p.BehindKnown, CaughtUp: p.Behind == 0 && (p.BehindKnown || len(p.Records) == 0)}
	before := r.at
	until := a.made.Add(-p.Behind)
	if len(p.Records) > 0 {
		u := unpacker{format: &r.stream.format, page: p, passing: r.passing, passed: before, inflatedMax: max(2*allowance, inflatedPerPage)}
		o.records = u.unpack()
		last := behind(p, o.records-1)
		until = last.time
		if !u.passing {
			r.at, r.atHorizon, r.passing = last, false, false
		}
		if o.records < len(p.Records) {
			read.CaughtUp = false
			o.rest = p.Split(o.records)
		}
		read.Records = u.records(r.at)
		o.unpacked = u.bytes
	} else if !p.BehindKnown || a.ended || a.made.IsZero() {
		until = time.Time{} // how far a shard that has ended is behind says nothing
	}
	r.last = heard{at: r.stream.clock.Local(), behind: p.Behind, known: p.BehindKnown, caughtUp: read.CaughtUp}
	if read.Records == nil {
		p.Free()
	}
	o.caughtUp = read.CaughtUp
	r.know(until)
	if read.Records == nil && r.at != before {
		read.Cursor = []byte(r.at.String())
	}
	if read.Records == nil || !r.readUntil.Equal(until) {
		read.ReadUntil = r.readUntil
	}
	return read, o
}
