package oracle

import (
	"cmp"
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"
)

// Source is how some of the changes are delivered: by one source of a pipeline.
type Source struct {
	Name   string
	Format string // dynamodb_cdc or dynamodb_export
	Full   bool   // of an export
	Time   int64  // of a full export: the version of its items
	Finer  int64  // of an export: how much its times are beyond the milliseconds of the streams, in µs
	Unit   int64  // of the times of one of two streams that bring the writes of a table, in µs; 0 = it is none of these
	Files  []File
}

// File is a file of a source.
type File struct {
	Stage   int // it is there from this run on
	Changes []Change
}

// Delivery is a case's input.
type Delivery struct {
	Sources []Source
	Stages  int // runs, each with more files than the one before
	// EndsOnly says that nothing decides but what each item was in the end: see Model.Ends.
	EndsOnly bool
}

// Deliver draws how histories are delivered: as a stream or two, or as an
// export with a stream, in files, shuffled, with some changes twice.
func Deliver(t *rapid.T, histories [][]Change, order Order) Delivery {
	d := Delivery{Stages: rapid.IntRange(1, 3).Draw(t, "stages")}
	changes := slices.Concat(histories...)
	if order >= ByWrites {
		d.EndsOnly = order == ByCircles
		d.twoInputs(t, changes)
		return d
	}
	ways := []string{"stream", "streams", "full export"}
	if order != BySequence { // an export has no sequence numbers
		ways = append(ways, "incremental export")
	}
	switch rapid.SampledFrom(ways).Draw(t, "way") {
	case "streams":
		streams := [2][]Change{}
		for _, c := range changes {
			i := rapid.IntRange(0, 1).Draw(t, "stream")
			streams[i] = append(streams[i], c)
		}
		d.stream(t, "changes", streams[0])
		d.stream(t, "more", streams[1])
	case "full export":
		at, items := snapshot(t, histories)
		d.export(t, Source{Name: "export", Full: true, Time: at}, items)
		if rapid.Bool().Draw(t, "from the export on") {
			changes = slices.DeleteFunc(changes, func(c Change) bool { return c.Time < at })
		}
		d.stream(t, "changes", changes)
		d.refine(t)
	case "incremental export":
		exported, streamed := divide(t, changes, order)
		d.export(t, Source{Name: "export"}, exported)
		d.stream(t, "changes", streamed)
		d.refine(t)
	default:
		d.stream(t, "changes", changes)
	}
	return d
}

// divide draws which changes are in an incremental export, and which come by a
// stream, or by both. Where images decide, those that an export tells nothing of
// the image before come by the stream alone, and so do removals by time to live, of
// which an export does not tell.
func divide(t *rapid.T, changes []Change, order Order) (exported, streamed []Change) {
	for _, c := range changes {
		where := "stream"
		switch {
		case c.TTL:
		case order == ByTime:
			where = rapid.SampledFrom([]string{"stream", "export", "both"}).Draw(t, "where")
		case c.Old != nil:
			where = rapid.SampledFrom([]string{"stream", "export"}).Draw(t, "where")
		}
		if where != "export" {
			streamed = append(streamed, c)
		}
		if where != "stream" {
			c.HasOld = c.Old != nil
			exported = append(exported, c)
		}
	}
	return exported, streamed
}

// refine draws how much finer times the export, the first source, tells than the
// stream. The model has them as they are cut to those of the stream, so there must be
// some of these in the first run: versions that are settled before stay as they are.
func (d *Delivery) refine(t *rapid.T) {
	for _, f := range d.Sources[1].Files {
		if f.Stage == 0 && len(f.Changes) > 0 {
			d.Sources[0].Finer = rapid.SampledFrom([]int64{0, 1, 500, 999}).Draw(t, "finer")
			return
		}
	}
}

// snapshot draws a time between two changes, and returns the items as they were.
func snapshot(t *rapid.T, histories [][]Change) (int64, []Change) {
	at := int64(Start + Tick*rapid.IntRange(0, 12).Draw(t, "export time") + Tick/2)
	var items []Change
	for _, h := range histories {
		var last Change
		for _, c := range h {
			if c.Time < at {
				last = c
			}
		}
		if last.New != nil {
			items = append(items, Change{Key: last.Key, Time: at, New: last.New})
		}
	}
	return at, items
}

// stream adds a source with the changes in any order, in files of all stages.
func (d *Delivery) stream(t *rapid.T, name string, changes []Change) {
	s := Source{Name: name, Format: "dynamodb_cdc"}
	for _, part := range split(t, disorder(t, changes), d.Stages+rapid.IntRange(0, 2).Draw(t, "more files")) {
		s.Files = append(s.Files, File{Stage: min(len(s.Files), d.Stages-1), Changes: part})
	}
	d.Sources = append(d.Sources, s)
}

// export adds a source with the changes in any order.
func (d *Delivery) export(t *rapid.T, s Source, changes []Change) {
	s.Format = "dynamodb_export"
	for _, part := range split(t, disorder(t, changes), rapid.IntRange(1, 2).Draw(t, "export files")) {
		s.Files = append(s.Files, File{Changes: part})
	}
	d.Sources = append(d.Sources, s)
}

// disorder shuffles changes and repeats some.
func disorder(t *rapid.T, changes []Change) []Change {
	if len(changes) == 0 {
		return nil
	}
	changes = slices.Clone(changes)
	for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(changes)-1), 0, 3).Draw(t, "repeated") {
		changes = append(changes, changes[i])
	}
	switch rapid.SampledFrom([]string{"any order", "as they happened", "reversed"}).Draw(t, "order") {
	case "any order":
		return rapid.Permutation(changes).Draw(t, "permutation")
	case "reversed":
		slices.SortStableFunc(changes, func(a, b Change) int { return cmp.Compare(b.Time, a.Time) })
	default:
		slices.SortStableFunc(changes, func(a, b Change) int { return cmp.Compare(a.Time, b.Time) })
	}
	return changes
}

// split cuts changes into n parts; some may be empty.
func split(t *rapid.T, changes []Change, n int) [][]Change {
	var parts [][]Change
	for ; n > 1; n-- {
		at := rapid.IntRange(0, len(changes)).Draw(t, "cut")
		parts = append(parts, changes[:at])
		changes = changes[at:]
	}
	return append(parts, changes)
}

// Decided reports whether what can be read up to a stage decides what the tables hold: where two inputs bring the
// writes of a table, all that they have of a second does.
func (d *Delivery) Decided(stage int) bool {
	return stage == d.Stages-1 || !slices.ContainsFunc(d.Sources, func(s Source) bool { return s.Unit != 0 })
}

// Changes returns what can be read up to a stage.
func (d *Delivery) Changes(stage int) []Change {
	var all []Change
	for _, s := range d.Sources {
		for _, f := range s.Files {
			if f.Stage <= stage {
				all = append(all, f.Changes...)
			}
		}
	}
	return all
}

// Letter is what a dead letter is of: a record, or a row of it, as RowLetter names it.
type Letter struct{ Record, Row string }

// Dead counts the dead letters of what can be read up to a stage.
func (d *Delivery) Dead(m *Model, stage int) map[Letter]int {
	letters := map[Letter]int{}
	for i := range d.Sources {
		for _, f := range d.Sources[i].Files {
			if f.Stage > stage {
				continue
			}
			for _, c := range f.Changes {
				lines := (&File{Changes: []Change{c}}).Lines(&d.Sources[i])
				record := strings.TrimSpace(string(lines))
				if m.Dead(c) != nil {
					letters[Letter{Record: record}]++
				}
				for _, row := range m.Dropped(c) {
					letters[Letter{record, row}]++
				}
			}
		}
	}
	return letters
}

// YAML returns the sources for a pipeline file.
func (d *Delivery) YAML() string {
	var b strings.Builder
	b.WriteString("sources:\n")
	for _, s := range d.Sources {
		key := ""
		if s.Full {
			key = fmt.Sprintf(", key: [%s]", strings.Join(d.keyNames(), ", "))
		}
		fmt.Fprintf(&b, "  %s: {type: file, path: %q, format: %s%s}\n", s.Name, s.Path(), s.Format, key)
	}
	return b.String()
}

// keyNames are the attributes of the table's key.
func (d *Delivery) keyNames() []string {
	for _, s := range d.Sources {
		for _, f := range s.Files {
			for _, c := range f.Changes {
				return slices.Sorted(maps.Keys(c.Key))
			}
		}
	}
	return []string{"none"} // and no items either
}

// Path is the source's path in the folder of the case.
func (s *Source) Path() string {
	if s.Format == "dynamodb_export" {
		return s.Name
	}
	return s.Name + "-*.ndjson"
}

// Write writes the files of a stage into a folder.
func (d *Delivery) Write(dir string, stage int) error {
	for i := range d.Sources {
		s := &d.Sources[i]
		if s.Format == "dynamodb_export" {
			if stage == 0 {
				if err := s.writeExport(filepath.Join(dir, s.Name)); err != nil {
					return err
				}
			}
			continue
		}
		for n, f := range s.Files {
			if f.Stage == stage {
				if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%d.ndjson", s.Name, n+1)), f.Lines(s), 0o600); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// Lines returns the file as a source of its kind has it.
func (f *File) Lines(s *Source) []byte {
	encode := func(c *Change) []byte { return c.CDC(s.Unit) }
	switch {
	case s.Full:
		encode = (*Change).Item
	case s.Format == "dynamodb_export":
		encode = func(c *Change) []byte { return c.Increment(s.Finer) }
	}
	var b []byte
	for i := range f.Changes {
		b = append(b, encode(&f.Changes[i])...)
	}
	return b
}

// writeExport writes the folder of an export.
func (s *Source) writeExport(dir string) error {
	if err := os.MkdirAll(filepath.Join(dir, "data"), 0o700); err != nil {
		return err
	}
	var manifest []byte
	items := 0
	for n, f := range s.Files {
		data := f.Lines(s)
		name := fmt.Sprintf("data/%d.json", n+1)
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return err
		}
		sum := md5.Sum(data)
		manifest = append(manifest, line(map[string]any{"itemCount": len(f.Changes), "md5Checksum": base64.StdEncoding.EncodeToString(sum[:]), "dataFileS3Key": name})...)
		items += len(f.Changes)
	}
	summary := map[string]any{
		"version": "2020-06-30", "tableArn": "arn:aws:dynamodb:eu-central-1:1:table/" + TableName, "outputFormat": "DYNAMODB_JSON",
		"itemCount": items, "exportArn": "arn:aws:dynamodb:eu-central-1:1:table/" + TableName + "/export/01704067200000-0badcafe",
	}
	if s.Full {
		// The version of its items is five minutes before the export's time.
		summary["exportTime"] = time.UnixMicro(s.Time + s.Finer).UTC().Add(5 * time.Minute)
	} else {
		summary["version"], summary["exportType"], summary["outputView"] = "2023-08-01", "INCREMENTAL_EXPORT", "NEW_AND_OLD_IMAGES"
		summary["exportFromTime"], summary["exportToTime"] = time.UnixMicro(Start).UTC(), time.UnixMicro(Start).UTC().Add(time.Hour)
	}
	if err := os.WriteFile(filepath.Join(dir, "manifest-files.json"), manifest, 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "manifest-summary.json"), line(summary), 0o600)
}
