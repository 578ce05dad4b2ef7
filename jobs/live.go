package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/starlift-etl/starlift/pipeline/timespan"
)

// live returns how the running pipeline is.
func (w *watch) live() (*status, error) {
	a, r := w.a, w.rates()
	st := newStatus(a)
	if err := st.countLetters(w.letters); err != nil {
		return nil, err
	}
	h := r.now
	st.StateID, st.Epoch, st.Saved, st.StateBytes = h.StateID, h.Epoch, h.Saved, h.StateBytes
	st.unmatched(h.Unmatched)
	if kept := a.config.Metrics.Kept(); kept != nil {
		if err := st.switches(kept.Definition); err != nil {
			return nil, err
		}
	}
	problems := w.problems()
	st.Running = &running{
		Since: h.Started.UTC(), Ready: len(problems) == 0, Problems: problems, CommitAge: timespan.Seconds(time.Since(h.Started)),
		Pending: h.Pending, Transforms: map[string]transformStatus{}, References: map[string]referenceStatus{},
	}
	if !h.LastCommit.IsZero() {
		at := h.LastCommit.UTC()
		st.Running.LastCommit, st.Running.CommitAge = &at, timespan.Seconds(max(0, time.Since(h.LastCommit)))
	}
	for _, n := range a.config.Sources {
		s := h.Sources[n.Name]
		live := &SourceRates{Records: s.Records, Bytes: s.Bytes, RecordRate: r.records(n.Name), ByteRate: r.bytes(n.Name), Lost: s.Lost, Gap: a.file.Redact(s.Gap)}
		for _, what := range s.Waits {
			live.Waits = append(live.Waits, a.file.Redact(what))
		}
		if s.LagKnown {
			lag := timespan.Seconds(s.Lag)
			live.Lag = &lag
		}
		st.Sources[n.Name] = sourceStatus{s.Finished, s.Partitions, live}
	}
	for _, n := range a.config.Sinks {
		s := h.Sinks[n.Name]
		live := &SinkRates{Rows: s.Rows, RowRate: r.written(n.Name), Retries: s.Retries}
		if p := s.Problem; p != nil {
			since := p.Since.UTC()
			live.Down, live.Problem = &since, a.file.Redact(p.Err.Error())
		}
		for _, stall := range h.Stalls {
			if stall.Name == n.Name && live.Problem == "" {
				since := stall.Since.UTC()
				live.Down, live.Problem = &since, a.file.Redact(fmt.Sprintf("its %s gets no further: it waits for %s", stall.What, stall.Waits))
			}
		}
		st.Sinks[n.Name] = sinkStatus{s.Published, s.Saved, s.Gathering, live}
	}
	st.Running.transforms(a, &r)
	for node, ref := range a.config.Metrics.References() {
		s := referenceStatus{Version: ref.Version, Age: timespan.Seconds(ref.Age), Stale: ref.Stale}
		if ref.Problem != nil {
			s.Problem = a.file.Redact(ref.Problem.Error())
		}
		st.Running.References[node] = s
	}
	return st, nil
}

// transforms says what each transform has given, and made dead letters of.
func (l *running) transforms(a *assembly, r *rates) {
	for _, name := range a.config.TransformNames() {
		t := transformStatus{Rows: map[string]map[string]int64{}, RowRate: r.rows(name), DeadLetters: map[string]int64{}, ReadAgain: r.now.Reread[name]}
		for k, n := range r.now.Rows {
			if k.Node != name {
				continue
			}
			if t.Rows[k.Table] == nil {
				t.Rows[k.Table] = map[string]int64{}
			}
			t.Rows[k.Table][k.Op] = n
		}
		for k, n := range r.now.Dead {
			if k.Node == name {
				t.DeadLetters[k.Reason] += n
			}
		}
		l.Transforms[name] = t
	}
}

// askWithin bounds the asking of a running pipeline.
const askWithin = 5 * time.Second

// ask asks the pipeline for its status, where it runs and can be asked: at the
// socket in its state folder, or at http.listen. nil = it can't, for the reason in
// why.
func ask(ctx context.Context, a *assembly) (st *status, why error) {
	st, why = askAt(ctx, a, "http://starlift", func(context.Context, string, string) (net.Conn, error) {
		return dialSocket(a.config.StateDir)
	})
	if why == nil {
		return st, nil
	}
	why = fmt.Errorf("it does not answer at the socket in its state folder: %w", why)
	if a.file.HTTP.Listen == "" {
		return nil, why
	}
	address, err := listenAddress(a.file.HTTP.Listen)
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	if st, err = askAt(ctx, a, "http://"+net.JoinHostPort(host, port), nil); err != nil {
		return nil, fmt.Errorf("%w; nor at http.listen: %w", why, err)
	}
	return st, nil
}

// noAnswer says why there was none, without the address, which who asks knows.
func noAnswer(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %s", timespan.Text(askWithin))
	}
	var failed *url.Error
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}

// askAt asks at a place; nil for dial is as usual.
func askAt(ctx context.Context, a *assembly, place string, dial func(ctx context.Context, network, address string) (net.Conn, error)) (*status, error) {
	at := place + "/status"
	body, err := get(ctx, at, dial)
	if err != nil {
		return nil, err
	}
	st := &status{}
	if err := json.Unmarshal(body, st); err != nil {
		return nil, fmt.Errorf("%s: not the status of a pipeline: %w", at, err)
	}
	if st.Pipeline != a.file.Name || st.Running == nil {
		return nil, fmt.Errorf("%s: it is of pipeline %q, not of %q", at, st.Pipeline, a.file.Name)
	}
	return st, nil
}

// get reads a page of a running pipeline.
func get(ctx context.Context, at string, dial func(ctx context.Context, network, address string) (net.Conn, error)) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: dial}} // no proxy: it is this machine, or as good as
	response, err := client.Do(request)
	if err != nil {
		return nil, noAnswer(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 64<<20))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at, noAnswer(err))
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s: %.200s", at, response.Status, body)
	}
	return body, nil
}
