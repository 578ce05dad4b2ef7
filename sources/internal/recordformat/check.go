package recordformat

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/datetime"
	"github.com/starlift-etl/starlift/pipeline/decode"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// Check returns all mistakes of the options, joined, each a *spec.FieldError. Of a format that
// CheckFormat refuses only those are found that do not depend on it.
func (o *Options) Check(format string) error {
	var errs []error
	wrong := func(message string, path ...string) {
		errs = append(errs, &spec.FieldError{Path: path, Message: message})
	}
	encoding := encodings[format]
	o.checkKey(format, wrong)
	o.checkTTLDeletes(encoding, wrong)
	if encoding != 0 && encoding != pipeline.JSON {
		if o.Version.Given() {
			wrong("version is for format json only: records of format "+format+" carry their version", "version")
		}
		if len(o.Operation.From) > 0 || o.Operation.Delete != nil {
			wrong("operation is for format json only: records of format "+format+" carry their operation", "operation")
		}
		return errors.Join(errs...)
	}
	errs = append(errs, o.checkVersion(), o.checkOperation())
	return errors.Join(errs...)
}

// checkKey checks the key and where the before-images are.
func (o *Options) checkKey(format string, wrong func(string, ...string)) {
	encoding := encodings[format]
	ofOthers := encoding != 0 && encoding != pipeline.JSON
	seen := map[string]bool{}
	for i, paths := range o.Key {
		at := strconv.Itoa(i)
		if len(paths) == 0 {
			wrong("a key attribute needs a name", "key", at)
		}
		if len(paths) > 1 && ofOthers {
			wrong("alternatives in the key are for format json only: records of format "+format+" have one key", "key", at)
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
	case ofOthers:
		if len(o.Before) > 0 {
			wrong("before is for format json only: records of format "+format+" say themselves what was there before", "before")
		}
	case len(o.Before) > 0 && len(o.Key) == 0:
		wrong("before needs key: without one, a record cannot say which item it changes", "before")
	case encoding != 0 && !seen[""]:
		f := o.Format(format)
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

func (o *Options) checkTTLDeletes(encoding pipeline.Encoding, wrong func(string, ...string)) {
	switch {
	case o.TTLDeletes == "":
	case !slices.Contains(ttlDeletesValues, o.TTLDeletes):
		wrong(fmt.Sprintf("unknown ttl_deletes %q: want one of %s", o.TTLDeletes, strings.Join(ttlDeletesValues, ", ")), "ttl_deletes")
	case encoding == pipeline.DynamoDBExport:
		wrong("an export does not say which items time to live removed: leave ttl_deletes out", "ttl_deletes")
	case encoding == pipeline.JSON:
		wrong("plain JSON knows of no time to live: leave ttl_deletes out", "ttl_deletes")
	}
	if o.TTLAttribute != "" && encoding != pipeline.DynamoDBCDC {
		wrong("only change records of format dynamodb_cdc say what time to live removed: leave ttl_attribute out", "ttl_attribute")
	}
}

var versionTypes = []string{"int64", "timestamp", "date"}

func (o *Options) checkVersion() error {
	v := o.Version
	if !v.Given() {
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

func (o *Options) checkOperation() error {
	p := o.Operation
	if len(p.From) == 0 && p.Delete == nil {
		return nil
	}
	var errs []error
	if len(p.From) == 0 {
		errs = append(errs, &spec.FieldError{Path: []string{"operation", "from"},
			Message: "operation needs from: the path of the operation in the record"})
	}
	if len(p.Delete) == 0 {
		errs = append(errs, &spec.FieldError{Path: []string{"operation", "delete"},
			Message: "operation needs delete: the values that mean a delete"})
	}
	if len(o.Key) == 0 {
		errs = append(errs, &spec.FieldError{Path: []string{"operation"},
			Message: "operation needs key: without one, a record cannot say what it deletes"})
	}
	return errors.Join(errs...)
}
