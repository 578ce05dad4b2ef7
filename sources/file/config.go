package file

import (
	"errors"
	"fmt"
	"time"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/blob/bloburl"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/sources/internal/recordformat"
)

// Config is a file source in a pipeline file.
type Config struct {
	Path   string `yaml:"path" required:"true" change:"free" desc:"Files to read: a path, a folder (the files in it), or a glob (*, ?, [a-z], {a,b}, ** for folders at any depth), relative to the working directory. Eight are read at a time, in name order; plain JSON, and items without a time, one after the other. Or objects of S3, as s3://bucket/prefix/*.json.gz, in the same way. Folders and wildcards leave out names that begin with a dot. For dynamodb_export: a folder that holds exports of one table at any depth, or a pattern of folders; exports are read in the order of time. Or files without manifests: data files, the output of a scan or query, requests to write."`
	Format string `yaml:"format" required:"true" enum:"dynamodb_cdc,dynamodb_export,json" change:"identity" desc:"What the records are: changes as DynamoDB delivers them through Kinesis and Streams, or what carries them (Lambda, Firehose); a DynamoDB export to S3, the output of a scan, or requests to write; or plain JSON objects. They may stand one a line, several, over lines, or in arrays."`
	recordformat.Options
	bloburl.ReaderConfig
	AsOf      string        `yaml:"as_of" change:"content" desc:"When items were read that have no time of their own: the output of a scan or query, requests to write, or a data file of a full export without its manifests. A time as 2024-05-01T12:00:00Z, or a date. Without it the later one in reading order wins; it has to be given where another source has the table."`
	Follow    bool          `yaml:"follow" change:"free" desc:"Go on for ever: read what is appended to the files, and files that appear, through rotation (by renaming, or by copying and truncating) and restarts. Files found at once are read oldest first. Compressed files are read when they have not been written to for a second, or every five seconds if they are written to all the time. Of S3: objects that appear, whatever their names sort before, and what is new in objects that are replaced by longer ones."`
	Poll      spec.Duration `yaml:"poll" min:"10ms" max:"1h" change:"free" desc:"How often followed files are looked at, and new ones are looked for; where something came, files are looked at again after 10ms, then twice as long each time. New ones are looked for less often where there are so many files that it would take a twentieth of the time. By default 100ms. Of S3: how often objects are listed, which takes one or two requests each time, at most; by default 10s."`
	MaxRecord spec.Bytes    `yaml:"max_record" default:"16MiB" min:"1" max:"1GiB" change:"free" desc:"The longest record that is read. A longer one ends the run."`
}

const (
	defaultRecordBytesMax = 16 << 20
	// recordBytesMax keeps a block's places within a Span's 32 bits, and its
	// memory within what one machine can hold several times.
	recordBytesMax = 1 << 30

	defaultPoll        = spec.Duration(100 * time.Millisecond)
	defaultObjectsPoll = spec.Duration(10 * time.Second)
)

// formats are the values of key format.
var formats = []string{"dynamodb_cdc", "dynamodb_export", "json"}

// check returns all mistakes of the configuration.
func (c *Config) check() error {
	var errs []error
	wrong := func(message string, path ...string) {
		errs = append(errs, &spec.FieldError{Path: path, Message: message})
	}
	c.checkPath(wrong)
	errs = append(errs, c.ReaderConfig.Check("path", c.Path)...)
	errs = append(errs, recordformat.CheckFormat(c.Format, formats...), c.Options.Check(c.Format))
	encoding := recordformat.Encoding(c.Format)
	if _, err := c.asOf(); err != nil {
		wrong(err.Error(), "as_of")
	} else if c.AsOf != "" && encoding != 0 && encoding != pipeline.DynamoDBExport {
		wrong("as_of is for format dynamodb_export only: records of format "+c.Format+" carry their version, or the order of reading counts", "as_of")
	}
	if c.Follow && encoding == pipeline.DynamoDBExport {
		wrong("an export does not grow, so it can't be followed: leave follow out", "follow")
	}
	if !c.Follow && c.Poll != 0 && c.Poll != defaultPoll { // which was written out in some files
		wrong("poll is for followed files: add follow: true", "poll")
	}
	if c.MaxRecord < 0 || c.MaxRecord > recordBytesMax {
		wrong("max_record must be from 1 byte to 1GiB", "max_record")
	}
	return errors.Join(errs...)
}

func (c *Config) checkPath(wrong func(string, ...string)) {
	switch {
	case c.Path == "":
		wrong("path is missing: give a file, a glob or the folder of an export", "path")
	case c.Format != "dynamodb_export" && !doublestar.ValidatePathPattern(c.Path):
		wrong(fmt.Sprintf("%q is not a glob: a [ or { is not closed, or it ends with a backslash", c.Path), "path")
	}
}

// Format implements pipeline.FormatReporter.
func (s *Source) Format() pipeline.Format { return s.cfg.format() }

// format returns what the configuration says about the records.
func (c *Config) format() pipeline.Format {
	f := c.Options.Format(c.Format)
	if at, err := c.asOf(); err == nil {
		f.ExportTime = at
	}
	return f
}

// TTLDeletes returns what the source says becomes of rows of items that TTL removes,
// as the file has it; empty = nothing.
func (s *Source) TTLDeletes() string { return s.cfg.TTLDeletes }

// Bounded implements pipeline.Source: a source that follows its files never ends.
func (s *Source) Bounded() bool { return !s.cfg.Follow }

// Keyless reports whether the records have no key: nothing says which item they
// are of, so their rows can only be appended.
func (s *Source) Keyless() bool { return s.cfg.Keyless(s.cfg.Format) }
