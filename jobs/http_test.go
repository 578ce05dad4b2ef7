package jobs

import (
	"net"
	"testing"

	"github.com/starlift-etl/starlift/pipeline/engine"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// TestHangingClient: a connection that says nothing does not make the end of a
// run fail.
func TestHangingClient(t *testing.T) {
	t.Parallel()
	probe, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(probe.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := probe.Close(); err != nil {
		t.Fatal(err)
	}
	a := &assembly{file: &spec.File{HTTP: spec.HTTP{Listen: ":" + port}}, config: engine.Config{Metrics: engine.NewMetrics()}}
	s, err := a.serve()
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := s.close(); err != nil {
		t.Errorf("closing with a silent client: %v", err)
	}
}
