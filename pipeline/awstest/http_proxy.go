package awstest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// An Effect is how a Fault spoils a call.
type Effect int

const (
	// LoseAnswer lets the server do what it is asked, and closes the connection in place
	// of its answer.
	LoseAnswer Effect = iota + 1
	// CutAnswer closes the connection after half of the answer's body.
	CutAnswer
	// FlipRequest changes a bit in the middle of the request's body.
	FlipRequest
	// FlipAnswer changes a bit in the middle of the answer's body.
	FlipAnswer
	// Refuse answers with the fault's Status and Code, as the service would, and asks
	// the server nothing.
	Refuse
	// Reset closes the connection, and asks the server nothing.
	Reset
)

// Fault says which calls are spoiled, and how.
type Fault struct {
	Effect    Effect
	Operation string           // as Operation names it; empty = any
	Match     func(*Call) bool // nil = any
	After     int              // so many that match are let through before
	Times     int              // so many are spoiled then; 0 = all

	// Of Refuse: the answer's status, the error's code as AWS documents it, and its text.
	Status        int
	Code, Message string
}

// Call is a request that went through an HTTPProxy.
type Call struct {
	Operation string // as Operation names it
	Method    string
	URL       *url.URL
	Header    http.Header
	Body      []byte // of S3, that of DeleteObjects only
}

// HTTPProxy passes requests on to a server, records them, and spoils those that its
// faults name. Signatures stay right.
type HTTPProxy struct {
	// Endpoint is where it listens: http://127.0.0.1:PORT.
	Endpoint string

	pass *httputil.ReverseProxy

	mu      sync.Mutex
	calls   []*Call
	faults  []*faultState
	spoiled int
}

// faultState is a fault and how many calls have matched it.
type faultState struct {
	Fault
	matched int
}

// NewHTTPProxy starts a proxy in front of an endpoint, until the test ends.
func NewHTTPProxy(t testing.TB, endpoint string) *HTTPProxy {
	t.Helper()
	upstream, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy, transport.DisableCompression = nil, true
	// A server may close a connection that is kept just when it is used again: that would be a
	// failure that nobody asked for.
	transport.DisableKeepAlives = true
	p := &HTTPProxy{pass: &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			// The Host stays: it is signed.
			r.Out.URL.Scheme, r.Out.URL.Host = upstream.Scheme, upstream.Host
		},
		Transport:      transport,
		ModifyResponse: spoilAnswer,
		// A client that gets no answer sees a broken connection, never an answer that no
		// server gave.
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		ErrorLog:     log.New(io.Discard, "", 0),
		// Each part of an answer at once, as without a proxy.
		FlushInterval: -1,
	}}
	server := httptest.NewServer(p)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		transport.CloseIdleConnections()
	})
	p.Endpoint = server.URL
	return p
}

// Add has calls spoiled from now on. Where several faults fit a call, the first does.
func (p *HTTPProxy) Add(f Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, &faultState{Fault: f})
}

// Clear takes all faults away.
func (p *HTTPProxy) Clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = nil
}

// Spoiled returns how many calls were spoiled so far.
func (p *HTTPProxy) Spoiled() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.spoiled
}

// Calls returns what was asked so far, in the order of arrival.
func (p *HTTPProxy) Calls() []*Call {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.calls)
}

// Operations returns the names of what was asked so far, each once, in their order.
func (p *HTTPProxy) Operations() []string {
	var names []string
	for _, call := range p.Calls() {
		names = append(names, call.Operation)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// record keeps a call, and returns the fault that spoils it.
func (p *HTTPProxy) record(call *Call) *Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, call)
	for _, f := range p.faults {
		if f.Operation != "" && f.Operation != call.Operation || f.Match != nil && !f.Match(call) {
			continue
		}
		f.matched++
		if f.matched > f.After && (f.Times == 0 || f.matched <= f.After+f.Times) {
			p.spoiled++
			return &f.Fault
		}
	}
	return nil
}

// ServeHTTP makes it what its server serves.
func (p *HTTPProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call, err := newCall(r)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	fault := p.record(call)
	if fault == nil {
		p.pass.ServeHTTP(w, r)
		return
	}
	switch fault.Effect {
	case Reset:
		panic(http.ErrAbortHandler)
	case Refuse:
		refuse(w, r, call, fault)
		return
	case FlipRequest:
		r.Body = &flip{ReadCloser: r.Body, at: max(r.ContentLength, 2) / 2}
	case LoseAnswer, CutAnswer, FlipAnswer:
		// By spoilAnswer.
	}
	p.pass.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), faultKey{}, fault)))
}

// newCall reads the body of all calls but those of S3, by which some are named, and of those that say
// there what they are about.
func newCall(r *http.Request) (*Call, error) {
	call := &Call{Method: r.Method, URL: r.URL, Header: r.Header.Clone()}
	if ofS3(r) {
		if call.Operation = s3Operation(r); call.Operation != "s3:DeleteObjects" {
			return call, nil
		}
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	call.Body = body
	if call.Operation == "" {
		call.Operation = operation(r.Header, body)
	}
	return call, nil
}

// faultKey is the key of a fault in its request's context.
type faultKey struct{}

var errLost = errors.New("the answer is lost")

func spoilAnswer(response *http.Response) error {
	fault, ok := response.Request.Context().Value(faultKey{}).(*Fault)
	if !ok {
		return nil
	}
	half := max(response.ContentLength, 2) / 2
	switch fault.Effect {
	case LoseAnswer:
		// The server is through with it when its answer is.
		_, err := io.Copy(io.Discard, response.Body)
		return errors.Join(errLost, err)
	case CutAnswer:
		response.Body = &cut{response.Body, half}
	case FlipAnswer:
		response.Body = &flip{ReadCloser: response.Body, at: half}
	default: // was spoiled on its way up
	}
	return nil
}

// flip changes one bit of what is read, at an offset.
type flip struct {
	io.ReadCloser
	at int64
}

func (f *flip) Read(p []byte) (int, error) {
	n, err := f.ReadCloser.Read(p)
	if 0 <= f.at && f.at < int64(n) {
		p[f.at] ^= 1
	}
	f.at -= int64(n)
	return n, err
}

// cut breaks what is read off after so many bytes.
type cut struct {
	io.ReadCloser
	left int64
}

func (c *cut) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := c.ReadCloser.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}

// refuse answers with an error as the service of the call writes it.
func refuse(w http.ResponseWriter, r *http.Request, call *Call, fault *Fault) {
	// A client that is answered while it sends has to be read to its end.
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		panic(http.ErrAbortHandler)
	}
	service, _, _ := strings.Cut(call.Operation, ":")
	var kind, body string
	switch service {
	case "s3":
		kind = "application/xml"
		body = fmt.Sprintf("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>%s</Message><RequestId>0</RequestId></Error>", fault.Code, fault.Message)
	case "sts":
		kind = "text/xml"
		body = fmt.Sprintf("<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>0</RequestId></ErrorResponse>", fault.Code, fault.Message)
	default:
		kind = "application/x-amz-json-1.1"
		body = fmt.Sprintf(`{"__type":%q,"message":%q}`, fault.Code, fault.Message)
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(fault.Status)
	if r.Method != http.MethodHead {
		if _, err := io.WriteString(w, body); err != nil {
			panic(http.ErrAbortHandler)
		}
	}
}
