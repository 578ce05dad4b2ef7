package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// server serves a running pipeline's metrics and health.
type server struct {
	http *http.Server
	done chan error
}

// serve starts the server that the pipeline file asks for; without one it does
// nothing.
func (a *assembly) serve() (*server, error) {
	listen := a.file.HTTP.Listen
	if listen == "" {
		return &server{}, nil
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return nil, fmt.Errorf("http.listen %s: want host and port, as in 127.0.0.1:8080: %w", listen, err)
	}
	if host == "" {
		host = "127.0.0.1" // all addresses only when somebody says so: 0.0.0.0
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, fmt.Errorf("http.listen %s: %w", listen, err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.config.Metrics.Registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /readyz", a.ready)
	s := &server{http: &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}, done: make(chan error, 1)}
	slog.Info("serving metrics", "address", l.Addr().String())
	go func() { s.done <- s.http.Serve(l) }()
	return s, nil
}

// ready says whether the pipeline does its work as it should, and what is wrong.
func (a *assembly) ready(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	var wrong []string
	for node, ref := range a.config.Metrics.References() {
		if !ref.Stale {
			continue
		}
		why := ""
		if ref.Problem != nil {
			why = ": " + a.file.Redact(ref.Problem.Error())
		}
		wrong = append(wrong, fmt.Sprintf("node %s: the reference is stale: it was known to be the newest %s ago%s", node, ref.Age.Round(time.Millisecond), why))
	}
	if wrong == nil {
		fmt.Fprintln(w, "ok")
		return
	}
	slices.Sort(wrong)
	w.WriteHeader(http.StatusServiceUnavailable)
	fmt.Fprintln(w, strings.Join(wrong, "\n"))
}

// close stops the server and waits for it.
func (s *server) close() error {
	if s.http == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.http.Close() // a client that hangs must not fail the run
	}
	if served := <-s.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
