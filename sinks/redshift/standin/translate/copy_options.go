package translate

import (
	"slices"
	"strconv"
	"strings"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/load"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/schema"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
)

// options are those of a COPY or an UNLOAD by their names.
type options struct {
	statement string // COPY, UNLOAD
	byName    map[string]syntax.Option
}

// newOptions refuses an option that is there twice.
func (t *translator) newOptions(statement string, list []syntax.Option) options {
	o := options{statement: statement, byName: map[string]syntax.Option{}}
	for _, option := range list {
		if _, twice := o.byName[option.Name]; twice {
			t.refuseAt(option.Pos, codeSyntax, "conflicting or redundant options")
		}
		o.byName[option.Name] = option
	}
	return o
}

func (o options) has(name string) bool {
	_, ok := o.byName[name]
	return ok
}

// first is the first of some options that is there.
func (o options) first(names ...string) string {
	for _, n := range names {
		if o.has(n) {
			return n
		}
	}
	return ""
}

// text is an option's value; the empty text if it has none.
func (o options) text(name string) string {
	if v := o.byName[name].Values; len(v) > 0 {
		return v[0].Text
	}
	return ""
}

// on tells what an option with a switch says; without one it means ON.
func (o options) on(name string) bool {
	switch o.text(name) {
	case "off", "false":
		return false
	}
	return o.has(name)
}

// unsupportedOption refuses what a format does not take. The text is the service's for REGION
// with Parquet; that of the others is made like it.
func (t *translator) unsupportedOption(o options, option, format string) {
	t.refuseAt(o.byName[option].Pos, codeNotSupported, "%s argument is not supported for %s based %s",
		strings.ToUpper(option), strings.ToUpper(format), o.statement)
}

// onlyOne refuses two options of which one excludes the other.
func (t *translator) onlyOne(o options, names ...string) {
	var found []string
	for _, n := range names {
		if o.has(n) {
			found = append(found, n)
		}
	}
	if len(found) > 1 {
		t.refuseAt(o.byName[found[1]].Pos, codeSyntax, "%s and %s cannot be specified together",
			strings.ToUpper(found[0]), strings.ToUpper(found[1]))
	}
}

// number is an option's number, within bounds.
func (t *translator) number(o options, name string, least, most int) int {
	if !o.has(name) {
		return 0
	}
	n, err := strconv.Atoi(o.text(name))
	if err != nil || n < least || n > most {
		t.refuseAt(o.byName[name].Pos, codeInvalidParameter, "Invalid value %q for %s: it must be between %d and %d",
			o.text(name), strings.ToUpper(name), least, most)
	}
	return n
}

// character is an option's single character, or zero. It may be an octal number, as '\036'.
func (t *translator) character(o options, name string) byte {
	if !o.has(name) {
		return 0
	}
	text := o.text(name)
	if len(text) == 4 && text[0] == '\\' {
		if n, err := strconv.ParseUint(text[1:], 8, 8); err == nil {
			return byte(n)
		}
	}
	switch {
	case text == "" || text[0] > 127:
		t.refuseAt(o.byName[name].Pos, codeInvalidParameter, "%s must be a single ASCII character", strings.ToUpper(name))
		return 0
	case text == `\t`:
		return '\t'
	case len(text) > 1:
		t.fail(unknownToStandin("A " + strings.ToUpper(name) + " of several characters"))
	}
	return text[0]
}

// compression is of the files as a whole.
func (o options) compression() load.Compression {
	return map[string]load.Compression{"": load.None, "gzip": load.GZIP, "bzip2": load.BZIP2, "zstd": load.ZSTD, "lzop": load.LZOP}[o.first("gzip", "bzip2", "zstd", "lzop")]
}

// widths are those of FIXEDWIDTH, 'label:width,…', one for each column and in their order.
func (t *translator) widths(o options, columns int) []int {
	if !o.has("fixedwidth") {
		return nil
	}
	var widths []int
	for _, field := range strings.Split(o.text("fixedwidth"), ",") {
		label, width, ok := strings.Cut(field, ":")
		n, err := strconv.Atoi(strings.TrimSpace(width))
		if !ok || strings.TrimSpace(label) == "" || err != nil || n < 1 {
			t.refuseAt(o.byName["fixedwidth"].Pos, codeInvalidParameter, "Invalid fixedwidth specification %q", o.text("fixedwidth"))
			return nil
		}
		widths = append(widths, n)
	}
	if len(widths) != columns {
		t.refuseAt(o.byName["fixedwidth"].Pos, codeInvalidParameter,
			"The number of columns in the fixedwidth specification (%d) does not match that of the columns (%d)", len(widths), columns)
	}
	return widths
}

// bucketURL refuses what is not of S3. emr, ssh and DynamoDB are sources that the stand-in
// does not have.
func (t *translator) bucketURL(o options, url string) {
	for _, other := range []string{"emr://", "dynamodb://"} {
		if o.statement == "COPY" && strings.HasPrefix(strings.ToLower(url), other) {
			t.fail(unknownToStandin("COPY FROM " + other))
			return
		}
	}
	bucket, isS3 := strings.CutPrefix(url, "s3://")
	if bucket, _, _ = strings.Cut(bucket, "/"); !isS3 || bucket == "" {
		t.refuse(codeInvalidParameter, "The specified S3 prefix %q is not valid: it must begin with s3:// and a bucket", url)
	}
}

// access is what a statement says of its rights to S3: a role, or keys, by one of the ways
// to say it (copy-parameters-authorization).
func (t *translator) access(o options) load.Access {
	t.onlyOne(o, "iam_role", "credentials", "access_key_id")
	a := load.Access{User: t.env.User}
	if o.has("session_token") && o.has("token") {
		t.onlyOne(o, "session_token", "token")
	}
	switch {
	case o.has("iam_role"):
		a.Roles = t.roles(o, o.text("iam_role"), o.byName["iam_role"].Values[0].Quoted)
	case o.has("credentials"):
		a = t.credentials(o)
	case o.has("access_key_id"):
		a.KeyID, a.Secret, a.Token = o.text("access_key_id"), o.text("secret_access_key"), o.text("session_token")+o.text("token")
	}
	if len(a.Roles) == 0 && (a.KeyID == "" || a.Secret == "") {
		t.refuse(codeInvalidParameter, "CREDENTIALS argument is required for %s: give an IAM_ROLE, or an access key and its secret", o.statement)
	}
	if a.KeyID == "" {
		for _, key := range []string{"secret_access_key", "session_token", "token"} {
			if o.has(key) {
				t.refuseAt(o.byName[key].Pos, codeSyntax, "%s needs ACCESS_KEY_ID", strings.ToUpper(key))
			}
		}
	}
	return a
}

// credentials reads 'name=value;…'.
func (t *translator) credentials(o options) load.Access {
	a := load.Access{User: t.env.User}
	for _, pair := range strings.Split(o.text("credentials"), ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		switch strings.ToLower(name) {
		case "aws_iam_role":
			a.Roles = t.roles(o, value, true)
		case "aws_access_key_id":
			a.KeyID = value
		case "aws_secret_access_key":
			a.Secret = value
		case "token":
			a.Token = value
		case "master_symmetric_key":
			t.fail(unknownToStandin("Encryption by the client"))
		case "":
		default:
			t.refuseAt(o.byName["credentials"].Pos, codeInvalidParameter, "Invalid credentials string: %q is no argument of it", name)
		}
	}
	return a
}

// roles reads a chain of ARNs with commas and no blanks between them, or DEFAULT.
func (t *translator) roles(o options, text string, quoted bool) []string {
	if strings.EqualFold(text, "default") && (!quoted || o.has("iam_role")) {
		return []string{"default"}
	}
	roles := strings.Split(text, ",")
	for _, r := range roles {
		if !isRole(r) {
			t.refuse(codeInvalidParameter, "Invalid IAM role ARN %q", r)
		}
	}
	return roles
}

// isRole tells whether a text is arn:partition:iam::account:role/name.
func isRole(text string) bool {
	parts := strings.SplitN(text, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || !strings.HasPrefix(parts[1], "aws") || parts[2] != "iam" || parts[3] != "" {
		return false
	}
	name, ok := strings.CutPrefix(parts[5], "role/")
	return ok && name != "" && !strings.ContainsAny(name, " \t\n") && len(parts[4]) == 12 &&
		strings.Trim(parts[4], "0123456789") == ""
}

// loadColumn is a column as package load has it.
func (t *translator) loadColumn(name string, ty Type, notNull bool) load.Column {
	switch ty.Name {
	case "":
		ty.Name = typeVarchar
	case typeInterval:
		ty.Name = typeDaySecond
	}
	out, err := schema.ParseType(ty.Name, ty.Length, ty.Precision, ty.Scale)
	if err != nil {
		t.fail(unknownToStandin("a column of type " + ty.Name))
	}
	return load.Column{Name: name, Type: out, NotNull: notNull}
}

// encryption refuses keys of the client's own, which are for new customers no more.
func (t *translator) encryption(o options) {
	if o.has("master_symmetric_key") || o.statement == "COPY" && o.has("encrypted") {
		t.fail(unknownToStandin("Encryption by the client"))
	}
	if o.has("kms_key_id") && (o.statement == "COPY" || !o.has("encrypted")) {
		t.refuseAt(o.byName["kms_key_id"].Pos, codeSyntax, "KMS_KEY_ID needs ENCRYPTED, and is not an argument of COPY")
	}
	t.onlyOne(o, "credentials", "kms_key_id")
	t.onlyOne(o, "auto", "kms_key_id")
}

// among refuses a value that is not one of some.
func (t *translator) among(o options, name string, values ...string) string {
	v := strings.ToLower(o.text(name))
	if o.has(name) && !slices.Contains(values, v) {
		t.refuseAt(o.byName[name].Pos, codeInvalidParameter, "Invalid value %q for %s", o.text(name), strings.ToUpper(name))
	}
	return v
}
