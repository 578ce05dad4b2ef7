package terminal

import (
	"io"
	"log/slog"

	"github.com/starlift-etl/starlift/pipeline/timespan"
)

// NewLog writes text for people, or JSON for programs. Time spans are written for
// either: as 1 min 5 s, or in seconds, with the unit in the name.
func NewLog(w io.Writer, level slog.Leveler, people bool) slog.Handler {
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
