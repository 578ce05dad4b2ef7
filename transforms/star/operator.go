package star

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/starlift-etl/starlift/pipeline"
)

// savedState is what the checkpoint keeps of a star besides its keyspaces.
type savedState struct {
	// Definitions are the texts of the definitions that the state was made by, by table.
	Definitions map[string]string `json:"definitions"`
	// Measures are the texts of each fact's measures, which may change.
	Measures map[string]string `json:"measures,omitempty"`
	Layouts  *layouts          `json:"layouts"`
	LastKeys map[string]int64  `json:"next"`    // the surrogate key assigned last, by dimension
	Inferred map[string]int64  `json:"open"`    // the number of inferred members, by dimension
	Deferred int64             `json:"waiting"` // the number of deferred facts
	// BacklogFrom is the row that the next epoch goes on at in the backlog.
	BacklogFrom pipeline.Hash `json:"backlog_from"`
}

// operator is an open star. It collects what an epoch brings, and takes it to members,
// lookups and facts when the epoch ends.
type operator struct {
	star    *Star
	options pipeline.OperatorOptions
	saved   savedState
	started bool // the rows that dimensions have from the start are emitted
	metrics metrics

	lastKeys      []int64 // the surrogate key of a sequence that was assigned last, by dimension
	inferred      []int64 // the number of inferred members, by dimension
	backlog       *backlog
	factsPerEpoch int           // the number of facts that an epoch makes besides those of its base rows
	deferredFrom  pipeline.Hash // where the search for deferred facts goes on

	parts     []*part // of epochs, by number; as many as one ever had
	scratches scratches

	// What the epoch has brought.
	logs    []epochLog
	settled []settledRows

	unusedLogs []sync.Pool // of *pipeline.PackedLog, of the inputs: what packers pack into
}

// settledRows are settled rows that came with the epoch.
type settledRows struct {
	*pipeline.PackedRows
	input *input
}

// Open implements pipeline.StatefulTransform.
func (s *Star) Open(o pipeline.OperatorOptions) (pipeline.Operator, error) {
	st := &operator{options: o, metrics: newMetrics(o.Env), factsPerEpoch: factsPerEpochMax}
	if o.Saved != nil {
		var err error
		if st.saved, err = s.restore(o.Saved); err != nil {
			return nil, err
		}
		if s, err = s.compileFor(&st.saved); err != nil {
			return nil, err
		}
		st.started = true
	}
	st.star = s
	for _, d := range s.dimensions {
		st.lastKeys, st.inferred = append(st.lastKeys, st.saved.LastKeys[d.name]), append(st.inferred, st.saved.Inferred[d.name])
	}
	st.unusedLogs = make([]sync.Pool, len(s.inputs))
	st.backlog = &backlog{state: o.Keyspaces[rowsSpace]}
	return st, st.backlog.load()
}

// CheckSaved implements pipeline.SavedChecker.
func (s *Star) CheckSaved(raw json.RawMessage) error {
	_, err := s.restore(raw)
	return err
}

// restore reads what the checkpoint keeps, of a star of these definitions.
func (s *Star) restore(raw json.RawMessage) (restored savedState, err error) {
	if err := json.Unmarshal(raw, &restored); err != nil {
		return restored, fmt.Errorf("checkpoint: %w", err)
	}
	return restored, s.sameDefinitions(restored.Definitions)
}

// byNumber returns the facts by the numbers that their state has.
func (s *Star) byNumber() []*fact {
	facts := make([]*fact, len(s.facts))
	for _, f := range s.facts {
		facts[f.number] = f
	}
	return facts
}

// sameDefinitions refuses state that was made by other definitions: rows of the
// warehouse would go on as they are, and differ from those made anew. The engine
// adds whose state it is.
func (s *Star) sameDefinitions(before map[string]string) error {
	now := s.definitions()
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if now[name] == "" {
			return fmt.Errorf("%q was there when the state was made, and is no longer: put it back, or begin anew (starlift reset FILE shows what that takes)", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		switch before[name] {
		case now[name]:
		case "":
			return fmt.Errorf("%q was not there when the state was made, and earlier changes are not kept: begin anew (starlift reset FILE shows what that takes)", name)
		default:
			return fmt.Errorf("%q is defined differently than when the state was made, and rows already given out would not follow: "+
				"put it back, or begin anew (starlift reset FILE shows what that takes)\nwas: %s\nis:  %s", name, before[name], now[name])
		}
	}
	return nil
}

// NewLogPacker implements pipeline.Operator.
func (s *operator) NewLogPacker() pipeline.LogPacker {
	return &logPacker{star: s.star, seeds: s.options.KeySeeds, unused: s.unusedLogs, last: make([]packedSizes, len(s.unusedLogs))}
}

// Log implements pipeline.Operator.
func (s *operator) Log(first int64, log *pipeline.PackedLog) {
	s.logs = append(s.logs, epochLog{log, first})
}

// Settled implements pipeline.Operator.
func (s *operator) Settled(input int, rows *pipeline.PackedRows) {
	s.settled = append(s.settled, settledRows{rows, s.star.inputs[input]})
}

// Finish implements pipeline.Operator.
func (s *operator) Finish(e pipeline.EpochInfo, emit func(*pipeline.Rows) error) error {
	x := s.newEpoch(&e)
	if !s.started {
		for _, d := range s.star.dimensions {
			x.parts[0].out.emitInitialRows(d)
		}
		s.started = true
	}
	if err := x.run(); err != nil {
		return err
	}
	if err := x.emit(emit); err != nil {
		return err
	}
	s.reportCounts(x.parts)
	if err := x.reset(); err != nil {
		return err
	}
	s.scratches.reset()
	s.logs, s.settled = emptied(s.logs), emptied(s.settled)
	return nil
}

// Pending implements pipeline.Operator.
func (s *operator) Pending(last bool) bool {
	return s.backlog.size() > 0 || (last || !s.options.Bounded) && s.saved.Deferred > 0
}

// reportCounts tells the metrics how many members are inferred, and how often facts referred
// to the unknown one.
func (s *operator) reportCounts(parts []*part) {
	for i, d := range s.star.dimensions {
		if d.calendar == nil {
			s.metrics.inferredOpen.WithLabelValues(d.name).Set(float64(s.inferred[i]))
		}
		unknown := int64(0)
		for _, p := range parts {
			unknown += p.out.unknownRefs[i]
		}
		s.metrics.unknownMembers.WithLabelValues(d.name).Add(float64(unknown))
	}
}

// Save implements pipeline.Operator.
func (s *operator) Save() (json.RawMessage, error) {
	s.saved.Definitions, s.saved.Measures = s.star.definitions(), map[string]string{}
	for _, f := range s.star.facts {
		s.saved.Measures[f.name] = f.measuresDefinition
	}
	all := s.star.layouts()
	s.saved.Layouts = &all
	s.saved.LastKeys, s.saved.Inferred = map[string]int64{}, map[string]int64{}
	for i, d := range s.star.dimensions {
		if d.calendar == nil {
			s.saved.LastKeys[d.name], s.saved.Inferred[d.name] = s.lastKeys[i], s.inferred[i]
		}
	}
	raw, err := json.Marshal(&s.saved)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	return raw, nil
}
