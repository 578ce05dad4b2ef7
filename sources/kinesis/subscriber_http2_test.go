package kinesis

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/sources/kinesis/kinesistest"
)

// TestSubscriptionsOverHTTP2: as the service speaks it, many subscriptions share a connection, and those that nobody
// reads now keep no other one waiting. It sets the environment, so it runs by itself.
func TestSubscriptionsOverHTTP2(t *testing.T) {
	const shards, each = 20, 15
	fake := kinesistest.New(kinesistest.Options{SubscriptionTime: 2 * time.Second, SubscribeInterval: 50 * time.Millisecond, Heartbeat: 100 * time.Millisecond})
	var old atomic.Int64 // requests of HTTP/1.1
	web := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			old.Add(1)
		}
		fake.ServeHTTP(w, r)
	}))
	web.EnableHTTP2 = true
	web.StartTLS()
	t.Cleanup(func() {
		fake.Close()
		web.CloseClientConnections()
		web.Close()
	})
	bundle := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(bundle, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CA_BUNDLE", bundle)
	r := rigAt(t, web.URL)
	r.fake, r.cfg.Consumer.Name = fake, "starlift"
	r.must(fake.Create(streamOf, shards))
	text := strings.Repeat("x", 50_000)
	for _, id := range r.shards() {
		for range each {
			_, err := fake.PutTo(streamOf, id, "a", []byte(text))
			r.must(err)
		}
	}
	r.open()
	r.take(shards * each)
	r.nothing(2500 * time.Millisecond) // renewals
	if len(r.got) != shards*each || old.Load() > 0 {
		t.Errorf("%d records came, want %d; %d requests by HTTP/1.1", len(r.got), shards*each, old.Load())
	}
}
