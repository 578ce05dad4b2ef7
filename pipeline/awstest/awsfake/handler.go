package awsfake

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Error is one that a service answers with.
type Error struct {
	Code, Message string
	Status        int // 0 = 400
	// Members are what the error has beside its message, by the names of the service's model.
	Members map[string]any
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Errorf makes an error of a code and its message.
func Errorf(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Call is one request while it is answered.
type Call struct {
	Request
	// Region is that of the request's signature; empty = it has none.
	Region string
	// FailEntries says that every second entry of a batch has to fail.
	FailEntries bool
}

// Operation answers one kind of request. It reads the body, and says in the call what that
// is about; what it returns is then run, unless a fault prevents it. Its result is written as
// JSON: bytes as they are, nil as an empty body.
type Operation func(c *Call, body []byte) (run func() (any, error), err error)

// EventStream is a result that is sent as a stream of events, for as long as that takes. A fault that it is
// given is one of its events; nil = there is none.
type EventStream interface {
	Send(w http.ResponseWriter, r *http.Request, fault *Fault)
}

// Typed makes an operation of a function with a typed input. About says which resource and
// part of it, a table or a shard, an input is about, for the log and for faults.
func Typed[I any](about func(*I) (resource, part string), do func(*Call, *I) (any, error)) Operation {
	return func(c *Call, body []byte) (func() (any, error), error) {
		in := new(I)
		if err := json.Unmarshal(body, in); err != nil {
			if e := (*Error)(nil); errors.As(err, &e) {
				return nil, e // an input's own rule
			}
			return nil, Errorf("SerializationException", "%v", err)
		}
		c.Resource, c.Part = about(in)
		return func() (any, error) { return do(c, in) }, nil
	}
}

// maxRequest bounds what is read of a request: 16 MB is what DynamoDB takes at most, Kinesis less.
const maxRequest = 32 << 20

// Handler answers the requests of a fake. It may be used from any goroutine.
type Handler struct {
	media      string
	operations map[string]Operation
	now        func() time.Time
	closed     chan struct{}
	once       sync.Once

	mu     sync.Mutex
	faults []*activeFault
	chance *rand.Rand
	log    []Request
}

// NewHandler returns one that speaks a media type (application/x-amz-json-1.0), and whose operations
// are found by their targets (DynamoDB_20120810.GetItem). Now is the fake's time, and
// seed that of what is left to chance: faults with a ratio.
func NewHandler(media string, operations map[string]Operation, now func() time.Time, seed uint64) *Handler {
	return &Handler{
		media: media, operations: operations, now: now, closed: make(chan struct{}), chance: rand.New(rand.NewPCG(seed, 1)),
	}
}

// Close ends the calls that hang. It may be called twice.
func (h *Handler) Close() { h.once.Do(func() { close(h.closed) }) }

// Closed returns what Close closes.
func (h *Handler) Closed() <-chan struct{} { return h.closed }

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	target := r.Header.Get("X-Amz-Target")
	_, name, _ := strings.Cut(target, ".")
	media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	c := &Call{Request: Request{Operation: name}, Region: signedRegion(r)}
	result, fault, err := h.answer(c, target, media, body)
	if e := (*Error)(nil); errors.As(err, &e) {
		c.Code = e.Code
	}
	if fault != nil {
		c.Effect = fault.Effect
	}
	h.mu.Lock()
	h.addRequest(c.Request)
	h.mu.Unlock()
	events, running := result.(EventStream)
	if running {
		result = nil
	}
	status, encoded := encode(result, err)
	head := w.Header()
	head.Set("Content-Type", h.media)
	head.Set("Date", h.now().UTC().Format(http.TimeFormat))
	head.Set("X-Amzn-Requestid", fmt.Sprintf("%08X%016X", rand.Uint32(), rand.Uint64()))
	head.Set("X-Amz-Crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE(encoded)), 10))
	head.Set("Content-Length", strconv.Itoa(len(encoded)))
	if running && fault != nil && fault.Effect.ofEvents() {
		events.Send(w, r, fault)
		return
	}
	if fault != nil && h.disturb(w, r, fault, status, encoded) {
		return
	}
	if running {
		events.Send(w, r, nil)
	} else {
		w.WriteHeader(status)
		_, _ = w.Write(encoded) // a client that has gone needs no answer
	}
}

// signedRegion is the region that a request is signed for: the third part of its credential.
func signedRegion(r *http.Request) string {
	_, scope, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	parts := strings.Split(scope, "/")
	if len(parts) < 5 {
		return ""
	}
	return parts[2]
}

func (h *Handler) answer(c *Call, target, media string, body []byte) (any, *Fault, error) {
	do, known := h.operations[target]
	switch {
	case media != h.media:
		return nil, nil, Errorf("SerializationException", "content type %q: this fake speaks %s (Java clients of Kinesis: -Daws.cborEnabled=false)", media, h.media)
	case !known:
		return nil, nil, Errorf("UnknownOperationException", "%q", target)
	}
	run, err := do(c, body)
	if err != nil {
		return nil, nil, err
	}
	fault := h.fault(c)
	if fault != nil && fault.Effect == Refuse {
		return nil, fault, &Error{Code: fault.Code, Message: fault.Message, Status: fault.Status}
	}
	if fault != nil && !fault.Effect.done() {
		return nil, fault, nil
	}
	c.FailEntries = fault != nil && fault.Effect == FailEntries
	result, err := run()
	return result, fault, err
}

// encode returns the HTTP status and body of a result or an error.
func encode(result any, err error) (int, []byte) {
	if err != nil {
		var e *Error
		if !errors.As(err, &e) {
			e = &Error{Code: "InternalServerError", Message: err.Error(), Status: http.StatusInternalServerError}
		}
		members := map[string]any{"__type": e.Code, "message": e.Message}
		for name, member := range e.Members {
			members[name] = member
		}
		status := e.Status
		if status == 0 {
			status = http.StatusBadRequest
		}
		return status, mustMarshal(members)
	}
	switch r := result.(type) {
	case nil:
		return http.StatusOK, nil
	case []byte:
		return http.StatusOK, r
	default:
		return http.StatusOK, mustMarshal(r)
	}
}

func mustMarshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // of a fake's own types
	}
	return b
}
