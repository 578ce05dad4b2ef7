package engine

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/starlift-etl/starlift/pipeline"
)

// env returns the Env of a node. section is the key that its log lines have: "source", "sink"
// or "node".
func (c *Config) env(section, name string) pipeline.Env {
	e := pipeline.Env{Log: c.Log.With(section, name), Metrics: c.Metrics, Now: c.now, Redact: c.Redact}
	if e.Metrics == nil {
		e.Metrics = prometheus.NewRegistry()
	}
	if e.Redact == nil {
		e.Redact = func(text string) string { return text }
	}
	e.Notify = func(n pipeline.Notice) { e.Log.Warn(n.Message, "event", n.Event) }
	return e
}

// sourceEnv is env for a source, whose losses make the pipeline not ready.
func (c *Config) sourceEnv(name string) pipeline.Env {
	e := c.env("source", name)
	e.Notify = func(n pipeline.Notice) { c.Observer.SourceNoticed(name, n) }
	return e
}
