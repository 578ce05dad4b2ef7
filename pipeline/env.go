package pipeline

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Env is what the process gives a node to work with, when the node is opened. One
// that is only built, to be checked or printed, has none; transforms that keep no
// state and look nothing up never get one, since their rows may depend on nothing of it
// (I6). Tests make one with NewEnv and replace what they look at.
//
// All of it may be used from any goroutine, until the node is closed.
type Env struct {
	// Log names the node already, and takes the pipeline file's secrets out.
	Log *slog.Logger
	// Metrics belongs to this pipeline. Nodes register through CounterVec and GaugeVec.
	Metrics prometheus.Registerer
	// Now is the wall time, for what people read and for waiting; rows never depend on it.
	Now func() time.Time
	// Redact takes the secrets of the pipeline file out of a text that people will read.
	Redact func(text string) string
	// Notify tells people of something that happened and is no error, or of a loss: it
	// is logged and counted, and a loss makes the pipeline not ready.
	Notify func(Notice)
}

// NewEnv returns an Env that discards what it is told.
func NewEnv() Env {
	return Env{
		Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(), Now: time.Now,
		Redact: func(text string) string { return text }, Notify: func(Notice) {},
	}
}

// CounterVec registers counters, or returns those that have this name: several nodes may
// count the same, and a node is opened again after failures.
func (e Env) CounterVec(o prometheus.CounterOpts, labels ...string) *prometheus.CounterVec {
	return register(e.Metrics, prometheus.NewCounterVec(o, labels))
}

// GaugeVec is CounterVec for gauges.
func (e Env) GaugeVec(o prometheus.GaugeOpts, labels ...string) *prometheus.GaugeVec {
	return register(e.Metrics, prometheus.NewGaugeVec(o, labels))
}

// register panics where two nodes mean different things by one name, as MustRegister does.
func register[C prometheus.Collector](r prometheus.Registerer, c C) C {
	err := r.Register(c)
	var already prometheus.AlreadyRegisteredError
	if errors.As(err, &already) {
		if before, ok := already.ExistingCollector.(C); ok {
			return before
		}
	}
	if err != nil {
		panic(fmt.Sprintf("registering a metric: %v", err))
	}
	return c
}

// The events of notices of a gap: that there is one, and that somebody accepts it.
const (
	EventLost        = "lost"
	EventGapAccepted = "gap_accepted"
)

// Notice is something that happened to a node's input.
type Notice struct {
	Event   string // what kind of thing, in one word of a fixed set: for metrics
	Message string // what happened to which partition, and what to do about it
	// Partition and Position say where: the partition as people call it, and the text of
	// the cursor behind the last record that was read of it. Empty = the message says it.
	Partition, Position string
	// Lost counts the bytes of input that are known never to be read.
	Lost int64
	// Gap says that input is lost, or may be: how much need not be known.
	Gap bool
}
