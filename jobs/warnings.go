package jobs

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/starlift-etl/starlift/pipeline/spec"
)

// printWarnings prints warnings as mistakes are.
func printWarnings(w io.Writer, warnings []*spec.Mistake) {
	for _, m := range warnings {
		shown := *m
		shown.Message = "warning: " + m.Message
		fmt.Fprintln(w, shown.Error())
	}
}

// logWarnings logs the warnings of a pipeline that is run.
func logWarnings(log *slog.Logger, warnings []*spec.Mistake) {
	for _, m := range warnings {
		log.Warn(m.Message, "at", fmt.Sprintf("%s:%d:%d", m.File, m.Line, m.Column))
	}
}
