package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// server serves a running pipeline's metrics, health and status.
type server struct {
	http    *http.Server
	sockets []net.Listener
	done    chan error // of each that is listened at
}

// serve makes the server, and listens where the pipeline file says so.
func (a *assembly) serve(w *watch) (*server, error) {
	s := &server{http: &http.Server{Handler: w.pages(), ReadHeaderTimeout: 5 * time.Second}, done: make(chan error, 2)}
	listen := a.file.HTTP.Listen
	if listen == "" {
		return s, nil
	}
	address, err := listenAddress(listen)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("http.listen %s: %w", listen, err)
	}
	slog.Info("serving metrics", "address", l.Addr().String())
	s.listen(l)
	return s, nil
}

// listen serves at a listener, too.
func (s *server) listen(l net.Listener) {
	s.sockets = append(s.sockets, l)
	go func() { s.done <- s.http.Serve(l) }()
}

// listenAddress reads http.listen. All addresses are listened at only when
// somebody says so: 0.0.0.0.
func listenAddress(listen string) (string, error) {
	wrong := func(format string, args ...any) (string, error) {
		return "", fmt.Errorf("http.listen %q %s", listen, fmt.Sprintf(format, args...))
	}
	host, port, err := net.SplitHostPort(listen)
	switch {
	case err != nil && net.ParseIP(listen) != nil:
		return wrong("has no port: write %s", net.JoinHostPort(listen, "8080"))
	case err != nil || strings.ContainsAny(host, "/ "):
		return wrong("is not a host and a port, as in 127.0.0.1:8080")
	case host == "":
		host = "127.0.0.1"
	}
	if n, err := strconv.Atoi(port); err == nil && (n < 0 || n > 65535) || port == "" {
		return wrong("has no port between 0 and 65535, as 127.0.0.1:8080 has")
	} else if err != nil {
		if _, err := net.LookupPort("tcp", port); err != nil {
			return wrong("has the port %q, which is neither a number nor the name of a service: write a number, as in 127.0.0.1:8080", port)
		}
	}
	return net.JoinHostPort(host, port), nil
}

// pages are what the server shows.
func (w *watch) pages() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(w.a.config.Metrics.Registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(page http.ResponseWriter, _ *http.Request) {
		page.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintln(page, "ok")
	})
	mux.HandleFunc("GET /readyz", w.ready)
	mux.HandleFunc("GET /status", w.status)
	mux.HandleFunc("GET "+keptPage, w.kept)
	return mux
}

// ready says whether the pipeline does its work as it should, and what is wrong.
func (w *watch) ready(page http.ResponseWriter, _ *http.Request) {
	page.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if wrong := w.problems(); len(wrong) > 0 {
		page.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintln(page, strings.Join(wrong, "\n"))
		return
	}
	fmt.Fprintln(page, "ok")
}

// status shows how the pipeline is, as JSON.
func (w *watch) status(page http.ResponseWriter, _ *http.Request) {
	st, err := w.live()
	if err != nil {
		http.Error(page, w.a.file.Redact(err.Error()), http.StatusInternalServerError)
		return
	}
	page.Header().Set("Content-Type", "application/json")
	e := json.NewEncoder(page)
	e.SetIndent("", "  ")
	_ = e.Encode(st) // who asked has gone
}

// close stops the server and waits for it.
func (s *server) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.http.Close() // a client that hangs must not fail the run
	}
	for range s.sockets {
		if served := <-s.done; !errors.Is(served, http.ErrServerClosed) {
			err = errors.Join(err, served)
		}
	}
	return err
}
