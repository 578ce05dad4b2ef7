package status

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

// Server serves a running pipeline's metrics, health and status.
type Server struct {
	http    *http.Server
	sockets []net.Listener
	done    chan error // of each listener
}

// Serve makes the server, and listens at http.listen of the pipeline file, if it has one.
func Serve(m *Monitor) (*Server, error) {
	s := &Server{http: &http.Server{Handler: m.Handler(), ReadHeaderTimeout: 5 * time.Second}, done: make(chan error, 2)}
	listen := m.p.Listen
	if listen == "" {
		return s, nil
	}
	address, err := ListenAddress(listen)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("http.listen %s: %w", listen, err)
	}
	slog.Info("serving metrics", "address", l.Addr().String())
	s.Listen(l)
	return s, nil
}

// Listen serves at a listener, too, which Close closes.
func (s *Server) Listen(l net.Listener) {
	s.sockets = append(s.sockets, l)
	go func() { s.done <- s.http.Serve(l) }()
}

// ListenAddress returns the address to listen at for a value of http.listen. Without a host it
// is the loopback address; all addresses have to be asked for by 0.0.0.0.
func ListenAddress(listen string) (string, error) {
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

// Handler returns the pages of the server.
func (m *Monitor) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.p.Recorder.Registry(), promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(page http.ResponseWriter, _ *http.Request) {
		page.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintln(page, "ok")
	})
	mux.HandleFunc("GET /readyz", m.ready)
	mux.HandleFunc("GET /status", m.status)
	mux.HandleFunc("GET "+contentsPage, m.serveContents)
	return mux
}

// ready serves /readyz: ok, or the problems with status 503.
func (m *Monitor) ready(page http.ResponseWriter, _ *http.Request) {
	page.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if wrong := m.Problems(); len(wrong) > 0 {
		page.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintln(page, strings.Join(wrong, "\n"))
		return
	}
	fmt.Fprintln(page, "ok")
}

// status serves the report as JSON.
func (m *Monitor) status(page http.ResponseWriter, r *http.Request) {
	st, err := m.Status(r.Context())
	if err != nil {
		http.Error(page, m.p.Redact(err.Error()), http.StatusInternalServerError)
		return
	}
	page.Header().Set("Content-Type", "application/json")
	e := json.NewEncoder(page)
	e.SetIndent("", "  ")
	_ = e.Encode(st) // it fails only when the client has gone
}

// Close stops the server and waits for it.
func (s *Server) Close() error {
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

// contentsPage is the path of the state's contents. They may have values of rows, so they are
// served at the socket only, which only the owner of the state folder can open.
const contentsPage = "/kept"

func (m *Monitor) serveContents(page http.ResponseWriter, request *http.Request) {
	if at, ok := request.Context().Value(http.LocalAddrContextKey).(net.Addr); !ok || at.Network() != "unix" {
		http.NotFound(page, request)
		return
	}
	contents := m.p.Recorder.Contents()
	if contents == nil {
		http.Error(page, "the pipeline is not open yet: ask again", http.StatusServiceUnavailable)
		return
	}
	page.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(page).Encode(contents) // it fails only when the client has gone
}
