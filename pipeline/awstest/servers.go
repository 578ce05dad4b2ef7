package awstest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

// Option changes how a server is started. One that a server does not know has no effect on it.
type Option func(*options)

type options struct {
	fakeClock, durable, limits bool
	iteratorTTL, delay         time.Duration
	shards                     int
}

func newOptions(opts []Option) *options {
	o := &options{iteratorTTL: 5 * time.Minute, delay: 20 * time.Millisecond, shards: 5000}
	for _, option := range opts {
		option(o)
	}
	return o
}

// FakeClock starts the server under libfaketime, so that Service.Clock can set its
// time. Kinesis and MiniStack only: Node does not follow it, and S3 checks the
// times of signatures.
func FakeClock() Option { return func(o *options) { o.fakeClock = true } }

// Durable lets what Kinesis has survive Kill, at some cost, and objects of MiniStack's S3:
// its tables it writes down at an orderly stop only, if at all, and they are lost.
func Durable() Option { return func(o *options) { o.durable = true } }

// Limits lets Kinesis refuse writes beyond what a shard of AWS's takes: 1,000 records
// and 1 MB a second.
func Limits() Option { return func(o *options) { o.limits = true } }

// IteratorTTL is how long shard iterators of Kinesis live: 5 min as at AWS unless it is
// said, whole seconds.
func IteratorTTL(d time.Duration) Option { return func(o *options) { o.iteratorTTL = d } }

// Delay is how long both Kinesis servers take to make, delete and reshard a stream: 20 ms
// unless it is said.
func Delay(d time.Duration) Option { return func(o *options) { o.delay = d } }

// Kinesis starts ferrokinesis. Its account is 000000000000.
func Kinesis(t testing.TB, opts ...Option) *Service {
	t.Helper()
	return server{
		name: "ferrokinesis", path: "/_health/ready", ports: 1,
		command: func(installed, data string, ports []*port, o *options) *exec.Cmd {
			args := []string{
				ports[0].String(), "delay_ms=" + number(o.delay, time.Millisecond), "iterator_ttl_seconds=" + number(o.iteratorTTL, time.Second),
				"enforce_limits=" + strconv.FormatBool(o.limits), "shard_limit=" + strconv.Itoa(o.shards),
			}
			if o.durable {
				args = append(args, "state_dir="+filepath.Join(data, "state"))
			}
			return exec.Command(filepath.Join(installed, "ferrokinesis"), args...)
		},
	}.start(t, opts)
}

// KinesisMock starts kinesis-mock. It also speaks TLS, by a certificate of its own, at
// the port of TLSEndpoint. Its account is 000000000000.
func KinesisMock(t testing.TB, opts ...Option) *Service {
	t.Helper()
	return server{
		name: "kinesis-local", path: "/healthcheck", ports: 2,
		command: func(installed, _ string, ports []*port, o *options) *exec.Cmd {
			cmd := exec.Command("node", "-r", filepath.Join(installed, "loopback.js"), filepath.Join(installed, "node_modules", "kinesis-local", "main.js"))
			// Its certificate lies beside it.
			cmd.Dir = filepath.Join(installed, "node_modules", "kinesis-local")
			delay := number(o.delay, time.Millisecond) + "ms"
			cmd.Env = []string{
				"KINESIS_MOCK_PLAIN_PORT=" + ports[0].String(), "KINESIS_MOCK_TLS_PORT=" + ports[1].String(),
				"SHARD_LIMIT=" + strconv.Itoa(o.shards), "LOG_LEVEL=WARN",
				"CREATE_STREAM_DURATION=" + delay, "DELETE_STREAM_DURATION=" + delay, "REGISTER_STREAM_CONSUMER_DURATION=" + delay,
				"MERGE_SHARDS_DURATION=" + delay, "SPLIT_SHARD_DURATION=" + delay, "UPDATE_SHARD_COUNT_DURATION=" + delay,
			}
			return cmd
		},
	}.start(t, opts)
}

// TLSEndpoint is where KinesisMock speaks TLS; empty for the others.
func (s *Service) TLSEndpoint() string {
	if len(s.ports) < 2 {
		return ""
	}
	return "https://127.0.0.1:" + s.ports[1].String()
}

// MiniStack starts MiniStack: DynamoDB, its Streams, STS, S3. An access key of 12 digits
// is the account; else it is 000000000000.
func MiniStack(t testing.TB, opts ...Option) *Service {
	t.Helper()
	return server{
		name: "ministack", path: "/_ministack/health", ports: 1,
		command: func(installed, data string, ports []*port, o *options) *exec.Cmd {
			cmd := exec.Command(filepath.Join(installed, "bin", "python3"), "-m", "ministack")
			cmd.Dir = data
			cmd.Env = []string{
				"BIND_HOST=127.0.0.1", "GATEWAY_PORT=" + ports[0].String(), "LOG_LEVEL=WARNING", "SFTP_ENABLED=0", "IOT_MTLS_ENABLED=0",
				"STATE_DIR=" + filepath.Join(data, "state"), "S3_DATA_DIR=" + filepath.Join(data, "s3"), "TMPDIR=" + data,
				"PYTHONDONTWRITEBYTECODE=1",
			}
			if o.durable {
				cmd.Env = append(cmd.Env, "PERSIST_STATE=1", "S3_PERSIST=1")
			}
			return cmd
		},
	}.start(t, opts)
}

// Dynoxide starts dynoxide: DynamoDB, and its Streams, in memory.
func Dynoxide(t testing.TB, opts ...Option) *Service {
	t.Helper()
	return server{
		name: "dynoxide", path: "/", ports: 1,
		command: func(installed, data string, ports []*port, _ *options) *exec.Cmd {
			cmd := exec.Command(filepath.Join(installed, "dynoxide"), "serve", "--host", "127.0.0.1", "--port", ports[0].String())
			cmd.Dir = data
			return cmd
		},
	}.start(t, opts)
}

// S3 starts versitygw, which keeps objects as files, through Kill too. Buckets are in the
// path of a request.
func S3(t testing.TB, opts ...Option) *Service {
	t.Helper()
	return versitygw.start(t, opts)
}

var versitygw = server{
	name: "versitygw", path: "/health", ports: 1,
	command: func(installed, data string, ports []*port, _ *options) *exec.Cmd {
		cmd := exec.Command(filepath.Join(installed, "versitygw"), "--quiet", "--health", "/health", "--port", "127.0.0.1:"+ports[0].String(), "posix", data)
		cmd.Env = []string{"ROOT_ACCESS_KEY=" + AccessKey, "ROOT_SECRET_KEY=" + SecretKey}
		return cmd
	},
}

// SharedS3 is an S3 as that of [S3] for all tests of a package, whose TestMain closes it.
// Its zero value starts at the first use.
type SharedS3 struct {
	once    sync.Once
	dir     string
	service *Service
	err     error
}

// Endpoint starts it, if it has not been, and returns where it listens.
func (s *SharedS3) Endpoint(t testing.TB) string {
	t.Helper()
	installed := Installed(t, versitygw.name)
	s.once.Do(func() {
		if s.dir, s.err = os.MkdirTemp("", "starlift-s3-"); s.err == nil {
			s.service = versitygw.service()
			s.err = s.service.open(versitygw, newOptions(nil), installed, s.dir, nil)
		}
	})
	if s.err != nil {
		t.Fatalf("%s: start: %v", versitygw.name, s.err)
	}
	return s.service.Endpoint
}

// Close ends it, and removes what it kept.
func (s *SharedS3) Close() error {
	var err error
	if s.service != nil {
		err = s.service.close()
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}
