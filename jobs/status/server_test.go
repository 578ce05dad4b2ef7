package status

import (
	"net"
	"testing"

	"github.com/starlift-etl/starlift/pipeline/telemetry"
)

// TestHangingClient: a connection that says nothing does not make the end of a
// run fail.
func TestHangingClient(t *testing.T) {
	t.Parallel()
	s, err := Serve(NewMonitor(&Pipeline{Listen: ":0", Recorder: telemetry.New(telemetry.Options{})}))
	if err != nil {
		t.Fatal(err)
	}
	address := s.sockets[0].Addr()
	if ip := address.(*net.TCPAddr).IP; !ip.IsLoopback() {
		t.Errorf("without a host it listens at %s", ip)
	}
	c, err := net.Dial("tcp", address.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := s.Close(); err != nil {
		t.Errorf("closing with a silent client: %v", err)
	}
}
