package jobs

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/starlift-etl/starlift/pipeline/spec"
)

// warner is a node that can tell what of its configuration is most likely not
// meant, though it is no mistake.
type warner interface {
	// Warnings returns *spec.FieldErrors with paths that start at the node.
	Warnings() []error
}

// warn takes the warnings of a node of the file.
func (a *assembly) warn(section, name string, node any) {
	if w, ok := node.(warner); ok {
		for _, err := range w.Warnings() {
			a.file.Warn(section, name, err)
		}
	}
}

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
