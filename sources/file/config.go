package file

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/datetime"
	"github.com/starlift-etl/starlift/pipeline/decode"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// Config is a file source in a pipeline file.
type Config struct {
	Path      string        `yaml:"path" required:"true" change:"free" desc:"Files to read: a path, a folder (the files in it), or a glob (*, ?, [a-z], {a,b}, ** for folders at any depth), relative to the working directory, read in name order. Folders and wildcards leave out names that begin with a dot. For dynamodb_export: a folder that holds exports of one table at any depth, or a pattern of folders; they are read in the order of time. Or files without manifests: data files, the output of a scan or query, requests to write."`
	Format    string        `yaml:"format" required:"true" enum:"dynamodb_cdc,dynamodb_export,json" change:"identity" desc:"What the records are: changes as DynamoDB delivers them through Kinesis and Streams, or what carries them (Lambda, Firehose); a DynamoDB export to S3, the output of a scan, or requests to write; or plain JSON objects. They may stand one a line, several, over lines, or in arrays."`
	Table     string        `yaml:"table" change:"identity" desc:"Logical name of the table that the records belong to. By default the one that the records or the export name. Where the path holds exports of several tables: which of them is read."`
	Key       []spec.Paths  `yaml:"key" change:"identity" desc:"Attributes that identify an item, for records that do not say it themselves: items of full exports, and plain JSON. Change records whose Keys are others end the run. Of plain JSON they are document paths, and a list in the list gives alternatives, of which the first counts that is there and not null: [[after.id, before.id]]. Plain JSON without a key is append only."`
	Before    spec.Paths    `yaml:"before" change:"identity" desc:"Where plain JSON records have the item as it was before the change; alternatives of the key tell which of its attributes are there, as in key: [[row.id, old.id]] with before: old. By default before, beside after, and before-image, beside data, as Debezium and AWS DMS have them. A change of the key deletes the item with the old one."`
	Version   Version       `yaml:"version" change:"identity" desc:"Where plain JSON records say which of two is newer. By default the later record in reading order wins."`
	Operation Operation     `yaml:"operation" change:"identity" desc:"Where plain JSON records say that they delete. By default none does."`
	AsOf      string        `yaml:"as_of" change:"content" desc:"When items were read that have no time of their own: the output of a scan or query, requests to write, or a data file of a full export without its manifests. A time as 2024-05-01T12:00:00Z, or a date. Without it the later one in reading order wins; it has to be given where another source has the table."`
	Follow    bool          `yaml:"follow" change:"free" desc:"Go on for ever: read what is appended to the files, and files that appear, through rotation (by renaming, or by copying and truncating) and restarts. Files found at once are read oldest first. Compressed files are read when they have not been written to for a second, or every five seconds if they are written to all the time."`
	Poll      spec.Duration `yaml:"poll" default:"100ms" min:"10ms" max:"1h" change:"free" desc:"How often followed files are looked at, and new ones are looked for; for these less often where there are so many files that it would take a twentieth of the time."`
	MaxRecord spec.Bytes    `yaml:"max_record" default:"16MiB" min:"1" max:"1GiB" change:"free" desc:"The longest record that is read. A longer one ends the run."`

	// TTLDeletes has no default: left out is not the same as delete.
	TTLDeletes string `yaml:"ttl_deletes" enum:"delete,flag,keep" change:"identity" desc:"What becomes of rows that go because DynamoDB's time to live removes their item, in tables that do not say it themselves: delete takes them out, flag leaves them and says so in is_deleted and deleted_at, keep leaves them. For dynamodb_cdc. Left out = what on_delete of the table says."`
}

// Version says where a plain JSON record carries its version.
type Version struct {
	From      spec.Paths `yaml:"from" change:"identity" desc:"Document path of the version in the record, or a list of paths, of which the first counts that is there and not null."`
	Type      string     `yaml:"type" enum:"int64,timestamp,date" change:"identity" desc:"Type of the version."`
	Format    string     `yaml:"format" change:"identity" desc:"How a timestamp or date is written: a layout as in Go (2006-01-02 15:04:05), unix, unix_ms or unix_us. By default RFC 3339."`
	Zone      string     `yaml:"zone" change:"identity" desc:"The time zone of timestamps and dates that are written without an offset, by its IANA name, as Europe/Berlin. By default UTC. It is as in columns of unnest."`
	Precision string     `yaml:"precision" enum:"truncate,round" change:"identity" desc:"What becomes of the part of a timestamp that is finer than microseconds: truncate leaves it out, round takes the nearest microsecond. By default such a record is a dead letter."`
}

// given reports whether the pipeline file says anything of it.
func (v *Version) given() bool {
	return len(v.From) > 0 || v.Type != "" || v.Format != "" || v.Zone != "" || v.Precision != ""
}

// Operation says where a plain JSON record carries its operation.
type Operation struct {
	From   spec.Paths `yaml:"from" change:"identity" desc:"Document path of the operation in the record, or a list of paths, of which the first counts that is there and not null."`
	Delete []string   `yaml:"delete" change:"identity" desc:"The values that mean a delete; every other value is an upsert."`
}

const (
	defaultRecordBytesMax = 16 << 20
	// recordBytesMax keeps a block's places within a Span's 32 bits, and its
	// memory within what one machine can hold several times.
	recordBytesMax = 1 << 30

	defaultPoll = spec.Duration(100 * time.Millisecond)
)

var (
	encodings = map[string]pipeline.Encoding{
		"dynamodb_cdc":    pipeline.DynamoDBCDC,
		"dynamodb_export": pipeline.DynamoDBExport,
		"json":            pipeline.JSON,
	}
	formatNames  = []string{"dynamodb_cdc", "dynamodb_export", "json"}
	versionTypes = []string{"int64", "timestamp", "date"}
)

// check returns all mistakes of the configuration.
func (c *Config) check() error {
	var errs []error
	wrong := func(message string, path ...string) {
		errs = append(errs, &spec.FieldError{Path: path, Message: message})
	}
	c.checkPath(wrong)
	encoding, known := encodings[c.Format]
	switch {
	case c.Format == "":
		wrong("format is missing: give one of "+strings.Join(formatNames, ", "), "format")
	case !known:
		errs = append(errs, &spec.FieldError{Path: []string{"format"},
			Message: fmt.Sprintf("unknown format %q", c.Format), Name: c.Format, Known: formatNames})
	}
	c.checkKey(encoding, wrong)
	if _, err := c.asOf(); err != nil {
		wrong(err.Error(), "as_of")
	} else if c.AsOf != "" && known && encoding != pipeline.DynamoDBExport {
		wrong("as_of is for format dynamodb_export only: records of format "+c.Format+" carry their version, or the order of reading counts", "as_of")
	}
	c.checkTTLDeletes(encoding, wrong)
	if c.Follow && encoding == pipeline.DynamoDBExport {
		wrong("an export does not grow, so it can't be followed: leave follow out", "follow")
	}
	if !c.Follow && c.Poll != 0 && c.Poll != defaultPoll {
		wrong("poll is for followed files: add follow: true", "poll")
	}
	if c.MaxRecord < 0 || c.MaxRecord > recordBytesMax {
		wrong("max_record must be from 1 byte to 1GiB", "max_record")
	}
	if known && encoding != pipeline.JSON {
		if c.Version.given() {
			wrong("version is for format json only: records of format "+c.Format+" carry their version", "version")
		}
		if len(c.Operation.From) > 0 || c.Operation.Delete != nil {
			wrong("operation is for format json only: records of format "+c.Format+" carry their operation", "operation")
		}
		return errors.Join(errs...)
	}
	errs = append(errs, c.checkVersion(), c.checkOperation())
	return errors.Join(errs...)
}

// checkKey checks the key and where the before-images are.
func (c *Config) checkKey(encoding pipeline.Encoding, wrong func(string, ...string)) {
	seen := map[string]bool{}
	for i, paths := range c.Key {
		at := strconv.Itoa(i)
		if len(paths) == 0 {
			wrong("a key attribute needs a name", "key", at)
		}
		if len(paths) > 1 && encoding != pipeline.JSON {
			wrong("alternatives in the key are for format json only: records of format "+c.Format+" have one key", "key", at)
		}
		for k, p := range paths {
			switch {
			case p == "":
				wrong("a key attribute needs a name", paths.At(k, "key", at)...)
			case seen[p]:
				wrong(fmt.Sprintf("key attribute %q is named twice", p), paths.At(k, "key", at)...)
			}
			seen[p] = true
		}
	}
	switch {
	case encoding != pipeline.JSON:
		if len(c.Before) > 0 {
			wrong("before is for format json only: records of format "+c.Format+" say themselves what was there before", "before")
		}
	case len(c.Before) > 0 && len(c.Key) == 0:
		wrong("before needs key: without one, a record cannot say which item it changes", "before")
	case !seen[""]:
		f := c.format()
		if err := decode.CheckKey(&f); err != nil {
			at := "key"
			if f.Before = nil; decode.CheckKey(&f) == nil {
				at = "before"
			}
			wrong(err.Error(), at)
		}
	}
}

// ttlDeletesValues are the choices of TTLDeletes.
var ttlDeletesValues = []string{"delete", "flag", "keep"}

func (c *Config) checkTTLDeletes(encoding pipeline.Encoding, wrong func(string, ...string)) {
	switch {
	case c.TTLDeletes == "":
	case !slices.Contains(ttlDeletesValues, c.TTLDeletes):
		wrong(fmt.Sprintf("unknown ttl_deletes %q: want one of %s", c.TTLDeletes, strings.Join(ttlDeletesValues, ", ")), "ttl_deletes")
	case encoding == pipeline.DynamoDBExport:
		wrong("an export does not say which items time to live removed: leave ttl_deletes out", "ttl_deletes")
	case encoding == pipeline.JSON:
		wrong("plain JSON knows of no time to live: leave ttl_deletes out", "ttl_deletes")
	}
}

func (c *Config) checkPath(wrong func(string, ...string)) {
	scheme, _, isURL := strings.Cut(c.Path, "://")
	switch {
	case c.Path == "":
		wrong("path is missing: give a file, a glob or the folder of an export", "path")
	case isURL:
		wrong("object stores are not supported yet by the file source ("+scheme+"://): copy the files to a local folder and give its path", "path")
	case c.Format != "dynamodb_export" && !doublestar.ValidatePathPattern(c.Path):
		wrong(fmt.Sprintf("%q is not a glob: a [ or { is not closed, or it ends with a backslash", c.Path), "path")
	}
}

func (c *Config) checkVersion() error {
	v := c.Version
	if !v.given() {
		return nil
	}
	var errs []error
	if len(v.From) == 0 {
		errs = append(errs, &spec.FieldError{Path: []string{"version", "from"},
			Message: "version needs from: the path of the version in the record"})
	}
	switch {
	case v.Type == "":
		errs = append(errs, &spec.FieldError{Path: []string{"version", "type"},
			Message: "version needs a type: one of " + strings.Join(versionTypes, ", ")})
	case !slices.Contains(versionTypes, v.Type):
		errs = append(errs, &spec.FieldError{Path: []string{"version", "type"},
			Message: fmt.Sprintf("unknown type of version %q", v.Type), Name: v.Type, Known: versionTypes})
	case v.Type == "int64":
		for _, g := range []struct{ key, value string }{{"format", v.Format}, {"zone", v.Zone}, {"precision", v.Precision}} {
			if g.value != "" {
				errs = append(errs, &spec.FieldError{Path: []string{"version", g.key}, Message: "a version of type int64 has no " + g.key})
			}
		}
	default:
		_, mistakes := datetime.NewFormat(v.Format, v.Zone, v.Precision, v.Type == "date")
		for _, m := range mistakes {
			errs = append(errs, &spec.FieldError{Path: []string{"version", m.Key}, Message: m.Message, Name: m.Name, Known: m.Known})
		}
	}
	return errors.Join(errs...)
}

func (c *Config) checkOperation() error {
	o := c.Operation
	if len(o.From) == 0 && o.Delete == nil {
		return nil
	}
	var errs []error
	if len(o.From) == 0 {
		errs = append(errs, &spec.FieldError{Path: []string{"operation", "from"},
			Message: "operation needs from: the path of the operation in the record"})
	}
	if len(o.Delete) == 0 {
		errs = append(errs, &spec.FieldError{Path: []string{"operation", "delete"},
			Message: "operation needs delete: the values that mean a delete"})
	}
	if len(c.Key) == 0 {
		errs = append(errs, &spec.FieldError{Path: []string{"operation"},
			Message: "operation needs key: without one, a record cannot say what it deletes"})
	}
	return errors.Join(errs...)
}

// Format implements pipeline.FormatReporter.
func (s *Source) Format() pipeline.Format { return s.cfg.format() }

// format returns what the configuration says about the records.
func (c *Config) format() pipeline.Format {
	f := pipeline.Format{Encoding: encodings[c.Format], Table: c.Table, Before: c.Before}
	var elsewhere [][]string
	some := false
	for _, paths := range c.Key {
		first, others := alternatives(paths)
		f.Key = append(f.Key, first)
		elsewhere, some = append(elsewhere, others), some || len(others) > 0
	}
	if some {
		f.KeyElse = elsewhere
	}
	f.Version.From, f.Version.Else = alternatives(c.Version.From)
	f.Version.Type, f.Version.Format = c.Version.Type, c.Version.Format
	f.Version.Zone, f.Version.Precision = c.Version.Zone, c.Version.Precision
	f.Operation.From, f.Operation.Else = alternatives(c.Operation.From)
	f.Operation.Delete = c.Operation.Delete
	if at, err := c.asOf(); err == nil {
		f.ExportTime = at
	}
	return f
}

// alternatives returns the first of some paths, and the others.
func alternatives(p spec.Paths) (first string, others []string) {
	if len(p) == 0 {
		return "", nil
	}
	return p[0], p[1:]
}

// TTLDeletes returns what the source says becomes of rows of items that TTL removes,
// as the file has it; empty = nothing.
func (s *Source) TTLDeletes() string { return s.cfg.TTLDeletes }

// Bounded implements pipeline.Source: a source that follows its files never ends.
func (s *Source) Bounded() bool { return !s.cfg.Follow }

// Keyless reports whether the records have no key: nothing says which item they
// are of, so their rows can only be appended.
func (s *Source) Keyless() bool {
	return encodings[s.cfg.Format] == pipeline.JSON && len(s.cfg.Key) == 0
}
