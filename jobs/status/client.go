package status

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

	"github.com/starlift-etl/starlift/pipeline/state"
	"github.com/starlift-etl/starlift/pipeline/timespan"
)

// askTimeout bounds a request to a running pipeline.
const askTimeout = 5 * time.Second

// ask asks a running pipeline for its status, at the socket in its state folder, or else at
// http.listen. why says why it can't be asked.
func ask(ctx context.Context, p *Pipeline) (st *Status, why error) {
	st, why = askAt(ctx, p, "http://starlift", func(context.Context, string, string) (net.Conn, error) {
		return dialSocket(p.StateDir)
	})
	if why == nil {
		return st, nil
	}
	why = fmt.Errorf("it does not answer at the socket in its state folder: %w", why)
	if p.Listen == "" {
		return nil, why
	}
	address, err := ListenAddress(p.Listen)
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
	if st, err = askAt(ctx, p, "http://"+net.JoinHostPort(host, port), nil); err != nil {
		return nil, fmt.Errorf("%w; nor at http.listen: %w", why, err)
	}
	return st, nil
}

// noAnswer returns the error of a request without the address, which the caller adds.
func noAnswer(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %s", timespan.Text(askTimeout))
	}
	var failed *url.Error
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}

// askAt asks for the status at a URL. dial connects; nil = as usual.
func askAt(ctx context.Context, p *Pipeline, base string, dial func(ctx context.Context, network, address string) (net.Conn, error)) (*Status, error) {
	at := base + "/status"
	body, err := get(ctx, at, dial)
	if err != nil {
		return nil, err
	}
	st := &Status{}
	if err := json.Unmarshal(body, st); err != nil {
		return nil, fmt.Errorf("%s: not the status of a pipeline: %w", at, err)
	}
	if st.Pipeline != p.Name || st.Running == nil {
		return nil, fmt.Errorf("%s: it is of pipeline %q, not of %q", at, st.Pipeline, p.Name)
	}
	return st, nil
}

// get reads a page of a running pipeline.
func get(ctx context.Context, at string, dial func(ctx context.Context, network, address string) (net.Conn, error)) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
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

// AskContents asks the process that has a state open for the state's contents, at the socket in
// the state folder.
func AskContents(ctx context.Context, stateDir string) (*state.Contents, error) {
	body, err := get(ctx, "http://starlift"+contentsPage, func(context.Context, string, string) (net.Conn, error) { return dialSocket(stateDir) })
	if err != nil {
		return nil, fmt.Errorf("it does not say at the socket in its state folder what it is built by: %w", err)
	}
	kept := &state.Contents{}
	if err := json.Unmarshal(body, kept); err != nil {
		return nil, fmt.Errorf("%s: not what a state keeps: %w", contentsPage, err)
	}
	return kept, nil
}
