package pipeline

import "context"

// ConnectionChecker is a Target that can say more of itself than whether Open would take it: what a
// run will need there later, and what is most likely not meant.
type ConnectionChecker interface {
	// CheckConnection does what Check does, and looks further: at rights, settings and what else of
	// it has to work. It finds all that it can, and not only what is wrong first. What it
	// makes to try something is gone when it returns.
	CheckConnection(ctx context.Context, o SinkOptions) (names []string, all []Remark)
}

// Remark is something that CheckConnection has found.
type Remark struct {
	Level   RemarkLevel `json:"level"`
	Message string      `json:"message"`
}

// RemarkLevel says what a remark means for a run.
type RemarkLevel string

// The levels.
const (
	RemarkFine    RemarkLevel = "ok"
	RemarkWarning RemarkLevel = "warning" // it runs, and most likely not as meant
	RemarkError   RemarkLevel = "error"   // it does not run
)
