package redshift

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/blob/bloburl"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// newLoader returns the loader that the configuration asks for.
func newLoader(sink string, cfg *Config) loader {
	if cfg.Stage.None {
		return &insertLoader{}
	}
	return &s3Loader{sink: sink, cfg: &cfg.Stage.S3, sizes: stagedSizes}
}

// roleARN is the ARN of a role of IAM, with its path.
var roleARN = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=.@/-]+$`)

// defaultRole is the role that a cluster or workgroup has for statements that name none.
const defaultRole = "default"

// check returns the mistakes of a stage, as joined spec.FieldErrors.
func (c *StageConfig) check() error {
	if c.None {
		return nil
	}
	return errors.Join(spec.BelowKey("stage", append(c.S3.CheckFolder("url", c.S3.URL), c.S3.check()...))...)
}

func (c *S3StageConfig) check() (errs []error) {
	u, err := bloburl.ParseFolder(c.URL)
	switch {
	case err != nil: // CheckFolder has said so
	case !u.Remote():
		errs = append(errs, &spec.FieldError{Path: []string{"url"}, Message: "Redshift copies from S3 only: write s3://bucket/folder, or stage: none for a small pipeline"})
	case strings.HasPrefix(u.Bucket, "arn:"):
		errs = append(errs, &spec.FieldError{Path: []string{"url"}, Message: "COPY knows access points by their aliases only: write s3://ALIAS/folder, with the alias that ends in -s3alias"})
	}
	if c.IAMRole != defaultRole {
		for _, role := range c.roles() {
			if !roleARN.MatchString(role) {
				errs = append(errs, &spec.FieldError{Path: []string{"iam_role"}, Message: fmt.Sprintf("%q is no role: write its ARN, arn:aws:iam::ACCOUNT:role/NAME, or several with commas between them, or %s", role, defaultRole)})
			}
		}
	}
	return errs
}

// roles returns the chain of roles, in its order.
func (c *S3StageConfig) roles() []string {
	roles := strings.Split(c.IAMRole, ",")
	for i := range roles {
		roles[i] = strings.TrimSpace(roles[i])
	}
	return roles
}

// authorization returns COPY's parameter for the role
// (https://docs.aws.amazon.com/redshift/latest/dg/copy-parameters-authorization.html). A chain
// has no blanks in it.
func (c *S3StageConfig) authorization() string {
	if c.IAMRole == defaultRole {
		return "IAM_ROLE default"
	}
	return "IAM_ROLE " + literal(strings.Join(c.roles(), ","))
}

// stageFolder names what a state of a sink has on the stage. Names have a slash at their end
// if they are folders.
type stageFolder struct{ pipeline, sink, state string }

func folderOf(o pipeline.SinkOptions, sink string) stageFolder {
	return stageFolder{pipeline: o.Pipeline, sink: sink, state: o.StateID}
}

// all is the folder of the pipeline.
func (f stageFolder) all() string { return keyName(f.pipeline) + "/" }

// ofSink is the folder of the sink, with all states.
func (f stageFolder) ofSink() string { return f.all() + keyName(f.sink) + "/" }

// ofState is the folder of the state.
func (f stageFolder) ofState() string { return f.ofSink() + keyName(f.state) + "/" }

// ofEpoch is the folder of a flush.
func (f stageFolder) ofEpoch(epoch int64) string { return fmt.Sprintf("%s%d/", f.ofState(), epoch) }

// file is a file of a table's rows.
func (f stageFolder) file(epoch int64, rows string, part int) string {
	return fmt.Sprintf("%s%s-%03d.parquet", f.ofEpoch(epoch), keyName(rows), part)
}

// manifest lists the files of a table's rows.
func (f stageFolder) manifest(epoch int64, rows string) string {
	return f.ofEpoch(epoch) + keyName(rows) + ".manifest"
}

// keyName makes a name in a key of any text, and never one of two: what is not of the
// characters that S3 calls safe, and that nothing between here and the scanner decodes, is
// written as a dot and two digits for each of its bytes
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html). No name begins with a dot
// or an underscore: Spectrum, by which COPY reads Parquet, takes such files for hidden ones, and ignores them
// (https://docs.aws.amazon.com/redshift/latest/dg/c-spectrum-external-tables.html).
func keyName(text string) string {
	var b strings.Builder
	for i := range len(text) {
		switch c := text[i]; {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_', c == '-':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, ".%02x", c)
		}
	}
	if name := b.String(); strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") {
		return shownPrefix + name
	}
	return b.String()
}

// shownPrefix is put before names that would be hidden. None begins so by itself, since digits are behind
// its dot there.
const shownPrefix = "x._"
