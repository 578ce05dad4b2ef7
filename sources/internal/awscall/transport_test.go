package awscall

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// serve returns a transport to a server, and the number of connections to it.
func serve(t *testing.T, h http.HandlerFunc) (*Transport, string, *atomic.Int64) {
	t.Helper()
	var connections atomic.Int64
	server := httptest.NewUnstartedServer(h)
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	client := server.Client()
	t.Cleanup(server.Close)
	c := &Clock{Local: time.Now}
	return &Transport{Next: client, Clock: c, Stall: time.Second}, server.URL, &connections
}

// get makes a call whose context ends as soon as its answer is read.
func get(ctx context.Context, tr *Transport, url string) (string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	answer, err := tr.Do(r)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(answer.Body)
	return string(b), errors.Join(err, answer.Body.Close())
}

// TestConnectionsStay: a context that ends with the answer closes no connection.
func TestConnectionsStay(t *testing.T) {
	t.Parallel()
	tr, url, connections := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "answer") })
	for range 500 {
		if got, err := get(t.Context(), tr, url); err != nil || got != "answer" {
			t.Fatal(got, err)
		}
	}
	if n := connections.Load(); n > 2 {
		t.Errorf("%d connections for 500 calls, one after the other", n)
	}
}

// TestStalls: an answer that goes on slowly is waited for, and one that stops is not; nor is one
// whose caller has gone.
func TestStalls(t *testing.T) {
	t.Parallel()
	var wait atomic.Int64
	tr, url, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		for range 6 {
			_, _ = io.WriteString(w, "x")
			_ = http.NewResponseController(w).Flush()
			select {
			case <-time.After(time.Duration(wait.Load())):
			case <-r.Context().Done():
			}
		}
	})
	wait.Store(int64(250 * time.Millisecond))
	if got, err := get(t.Context(), tr, url); err != nil || got != strings.Repeat("x", 6) {
		t.Errorf("a slow answer: %q, %v", got, err)
	}
	wait.Store(int64(10 * time.Second))
	if _, err := get(t.Context(), tr, url); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("an answer that stops: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := get(ctx, tr, url); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a caller that has gone: %v", err)
	}
}
