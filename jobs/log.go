package jobs

import (
	"context"
	"io"
	"log/slog"

	"github.com/starlift-etl/starlift/pipeline/timespan"
)

// newLog writes text for people, or JSON for programs. Time spans are written for
// either: as 1 min 5 s, or in seconds, with the unit in the name.
func newLog(w io.Writer, level slog.Leveler, people bool) slog.Handler {
	o := &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		switch {
		case a.Value.Kind() != slog.KindDuration:
			return a
		case people:
			return slog.String(a.Key, timespan.Text(a.Value.Duration()))
		default:
			return slog.Float64(a.Key+"_seconds", timespan.Seconds(a.Value.Duration()))
		}
	}}
	if people {
		return slog.NewTextHandler(w, o)
	}
	return slog.NewJSONHandler(w, o)
}

// redactingHandler takes secrets out of what is logged: an error may quote a
// part of the configuration.
type redactingHandler struct {
	slog.Handler
	redact func(string) string
}

// Handle logs the record without secrets.
func (h redactingHandler) Handle(ctx context.Context, r slog.Record) error {
	clean := slog.NewRecord(r.Time, r.Level, h.redact(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(h.attr(a))
		return true
	})
	return h.Handler.Handle(ctx, clean)
}

func (h redactingHandler) attr(a slog.Attr) slog.Attr {
	switch v := a.Value.Resolve(); v.Kind() {
	case slog.KindString:
		return slog.String(a.Key, h.redact(v.String()))
	case slog.KindAny:
		if err, ok := v.Any().(error); ok {
			return slog.String(a.Key, h.redact(err.Error()))
		}
	}
	return a
}

// WithAttrs keeps redacting.
func (h redactingHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i] = h.attr(a)
	}
	return redactingHandler{h.Handler.WithAttrs(clean), h.redact}
}

// WithGroup keeps redacting.
func (h redactingHandler) WithGroup(name string) slog.Handler {
	return redactingHandler{h.Handler.WithGroup(name), h.redact}
}
