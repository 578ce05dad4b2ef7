package awstest

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// TCPProxy passes connections on to a server, and spoils them on request. Signatures stay
// right: servers check them by the Host that they were asked for.
type TCPProxy struct {
	// Endpoint is where it listens: http://127.0.0.1:PORT.
	Endpoint string

	t     testing.TB
	proxy *toxiproxy.Proxy
}

// Proxy starts a proxy in front of an endpoint, until the test ends.
func Proxy(t testing.TB, endpoint string) *TCPProxy {
	t.Helper()
	upstream, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p := &TCPProxy{t: t, proxy: toxiproxy.NewProxy(server, "awstest", "127.0.0.1:0", upstream.Host)}
	if err := p.proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.proxy.Stop()
		// A link that swallows what it is sent does not see that its ends are closed.
		p.proxy.Toxics.ResetToxics(context.Background())
	})
	p.Endpoint = "http://" + p.proxy.Listen
	return p
}

// Cut closes all connections and refuses new ones, until Restore.
func (p *TCPProxy) Cut() { p.proxy.Stop() }

// HalfOpen lets nothing through in either direction any longer, and says so to nobody:
// connections stay, and new ones are taken. Until Restore, which ends them.
func (p *TCPProxy) HalfOpen() {
	p.t.Helper()
	p.add("timeout", "upstream", `{"timeout": 0}`)
	p.add("timeout", "downstream", `{"timeout": 0}`)
}

// Slow delays all that is answered, and lets no more than so many bytes a second through
// (0 = all), until Restore.
func (p *TCPProxy) Slow(delay time.Duration, bytesPerSecond int) {
	p.t.Helper()
	if delay > 0 {
		p.add("latency", "downstream", fmt.Sprintf(`{"latency": %d}`, delay.Milliseconds()))
	}
	if bytesPerSecond > 0 {
		p.add("bandwidth", "downstream", fmt.Sprintf(`{"rate": %d}`, max(1, bytesPerSecond/1000)))
	}
}

// Restore makes it a plain proxy again, at the same Endpoint.
func (p *TCPProxy) Restore() {
	p.t.Helper()
	p.proxy.Toxics.ResetToxics(context.Background())
	// Those that were spoiled are not mended.
	p.proxy.Stop()
	if err := p.proxy.Start(); err != nil {
		p.t.Errorf("proxy: restore: %v", err)
	}
}

func (p *TCPProxy) add(kind, direction, attributes string) {
	p.t.Helper()
	_, err := p.proxy.Toxics.AddToxicJson(strings.NewReader(fmt.Sprintf(
		`{"name": "%s_%s", "type": "%s", "stream": "%s", "attributes": %s}`, kind, direction, kind, direction, attributes)))
	if err != nil {
		p.t.Errorf("proxy: %s: %v", kind, err)
	}
}
