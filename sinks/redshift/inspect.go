package redshift

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pgconn"
)

const (
	// usualSilence is how long a statement of a flush may say nothing: a COPY, and a merge into
	// a large table, take as long on a cluster that is well.
	usualSilence = 15 * time.Second
	// commitPatience is how long a commit is tried where the pipeline file does not say: a
	// cluster's maintenance window has 30 minutes.
	commitPatience = 45 * time.Minute
	// askAfter is how long a statement may run until the server is asked about it, and askInterval
	// the least time between two questions. Each is a login.
	askAfter    = 5 * time.Second
	askInterval = 10 * time.Second
	// unansweredMax is how many questions in a row may go without any answer until the session
	// counts as one that nobody works on.
	unansweredMax = 3
)

var (
	_ pipeline.CallInspector = (*Sink)(nil)
	_ pipeline.CallTimer     = (*Sink)(nil)
)

// CallTimes implements pipeline.CallTimer.
func (s *Sink) CallTimes() pipeline.CallTimes {
	return pipeline.CallTimes{Silence: usualSilence, Commit: commitPatience}
}

// uploader is a loader that sends files before the transaction, and tells when bytes of them
// were taken last; zero = never.
type uploader interface{ uploadProgress() time.Time }

// watch is what InspectCall has seen of the call at work so far.
type watch struct {
	// staging says that S3 is at work, and not the server.
	staging atomic.Bool
	lost    lostSessions

	now func() time.Time // nil = time.Now

	lastProgress time.Time           // when bytes moved last
	askAt        time.Time           // when the server may be asked again
	asked        int                 // how often it was asked
	said         pipeline.CallStatus // what it said then
	resting      string              // since when its session waits for the client, as it said then; empty = it does not
	unanswered   int                 // questions in a row
}

func (w *watch) time() time.Time {
	if w.now != nil {
		return w.now()
	}
	return time.Now()
}

// lostMax bounds the sessions that are remembered: a connection that is lost again and again
// leaves some behind.
const lostMax = 16

// lostSessions are those that were lost in a transaction, and may still be there.
type lostSessions struct {
	mu   sync.Mutex
	pids []string
}

func (l *lostSessions) add(pid string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Contains(l.pids, pid) {
		l.pids = append(l.pids[max(0, len(l.pids)-lostMax+1):], pid)
	}
}

func (l *lostSessions) has(pid string) bool { return slices.Contains(l.all(), pid) }

func (l *lostSessions) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.pids)
}

func (l *lostSessions) remove(pid string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pids = slices.DeleteFunc(l.pids, func(other string) bool { return other == pid })
}

// onStage runs f, which asks S3 for something.
func (w *watch) onStage(f func() error) error {
	w.staging.Store(true)
	defer w.staging.Store(false)
	return f()
}

// moved notes bytes that have moved: what the server said before is of the past.
func (w *watch) moved(at time.Time) pipeline.CallStatus {
	w.lastProgress, w.askAt = at, at.Add(askAfter)
	w.said, w.resting, w.unanswered = pipeline.CallStatus{}, "", 0
	return pipeline.CallStatus{LastProgress: at}
}

// InspectCall says what the call at work waits for. Bytes that move say enough, of files that
// go to the stage and of a connection; else the server is asked over a second connection
// what it does for the first, every ten seconds.
//
// A query that runs is progress, however long it takes: Redshift does not say how far it is.
// What waits for a lock, or for a place in a queue of workload management, makes none.
func (s *Sink) InspectCall(ctx context.Context) pipeline.CallStatus {
	w := &s.db.watch
	at := time.Time{}
	if u, ok := s.loader.(uploader); ok {
		at = u.uploadProgress()
	}
	c := s.db.client.Active()
	if c != nil && c.LastProgress().After(at) {
		at = c.LastProgress()
	}
	switch {
	case at.After(w.lastProgress):
		return w.moved(at)
	case w.staging.Load():
		return pipeline.CallStatus{WaitsFor: "S3, for files of the stage at " + s.cfg.Stage.S3.URL}
	case c == nil:
		return pipeline.CallStatus{WaitsFor: "a connection to " + s.db.client.Config.Address() + "; a workgroup that wakes up takes a minute"}
	case w.time().Before(w.askAt):
		return pipeline.CallStatus{WaitsFor: w.said.WaitsFor}
	}
	w.asked++
	w.said = s.ask(ctx, c.PID())
	w.askAt = w.time().Add(askInterval)
	return w.said
}

// ask asks the server what a session is at.
func (s *Sink) ask(ctx context.Context, pid string) pipeline.CallStatus {
	w, client := &s.db.watch, s.db.client
	aside, err := pgconn.ConnectAside(ctx, client.Config)
	if err == nil {
		defer aside.Close(ctx) // nothing is lost with it
		var is *session
		if is, err = (&observer{aside, s.cfg.Schema}).session(ctx, pid); err == nil {
			return w.judge(is)
		}
	}
	if pgconn.Code(err) != "" {
		w.unanswered = 0
		return pipeline.CallStatus{WaitsFor: "the server; what it is at is not known, as it refuses to say: " + pgconn.Message(err)}
	}
	w.unanswered++
	return pipeline.CallStatus{
		WaitsFor:  fmt.Sprintf("the server at %s, which answers a second connection no more than the first", client.Config.Address()),
		Abandoned: w.unanswered >= unansweredMax,
	}
}

// judge makes a status of what the server says of a session. One that waits for its client,
// though the client waits for it, has never got the request, or its answer was lost; it
// has to be seen twice, since the last statement may have ended this moment.
func (w *watch) judge(is *session) pipeline.CallStatus {
	rested := w.resting != "" && w.resting == is.since
	w.unanswered, w.resting = 0, ""
	status := pipeline.CallStatus{WaitsFor: is.waitsFor()}
	switch {
	case is.gone:
		status.Abandoned = true
	case is.lock != "":
		// A session that was lost at a statement has come to its end: the next connection ends it.
		status.Abandoned = slices.ContainsFunc(is.holders, func(h *session) bool { return h.rests() && w.lost.has(h.pid) })
	case is.state == "queued":
	case is.state == "":
	case is.rests():
		w.resting, status.Abandoned = is.since, rested
	default:
		status.LastProgress = w.time()
	}
	return status
}

// session is what the server says of a session.
type session struct {
	pid          string
	gone         bool       // there is none any more
	state, since string     // of its last statement, and when that began; empty = not known
	statement    string     // without the values in it
	lock         string     // that it waits for
	holders      []*session // of the lock

	user, began string // of a holder: whose it is, and since when its transaction runs
}

// asHolder describes a session that is in the way.
func (is *session) asHolder() string {
	text := fmt.Sprintf("pid %s (user %s, its transaction runs since %s", is.pid, is.user, is.began)
	switch {
	case is.state == "":
	case is.rests():
		text += ", at no statement; its last one was: " + is.statement
	default:
		text += ", at: " + is.statement
	}
	return text + ")"
}

// rests reports whether the session is at no statement.
func (is *session) rests() bool {
	switch is.state {
	case "done", "success", "failed", "canceled", "cancelled":
		return true
	}
	return false
}

// waitsFor says what the session waits for, for people.
func (is *session) waitsFor() string {
	session := "the server's session (pid " + is.pid + ")"
	switch {
	case is.gone:
		return session + ", which is gone"
	case is.lock != "" && len(is.holders) == 0:
		return fmt.Sprintf("a lock, %s, that is held by a session which the user of dsn may not see: a superuser finds it in svv_transactions", is.lock)
	case is.lock != "":
		var holders []string
		for _, h := range is.holders {
			holders = append(holders, h.asHolder())
		}
		return fmt.Sprintf("a lock, %s, that is held by %s", is.lock, strings.Join(holders, "; and by "))
	case is.state == "":
		return session + "; what it is at the server does not say"
	case is.state == "queued":
		return fmt.Sprintf("a place in a queue of workload management, for %s since %s", is.statement, is.since)
	case is.rests():
		return fmt.Sprintf("%s, which does not take the request: its last statement, %s, began at %s and has ended", session, is.statement, is.since)
	}
	return fmt.Sprintf("%s, which is at %s since %s", session, is.statement, is.since)
}
