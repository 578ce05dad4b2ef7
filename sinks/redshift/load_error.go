package redshift

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	pgx "github.com/jackc/pgx/v5/pgconn"
	pq "github.com/parquet-go/parquet-go"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pgconn"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// reasonStage is the reason of a retry because a file of the stage was gone, or another one.
const reasonStage = "stage"

// scanReport is what an error of a COPY says in its detail, a block of lines: error, code,
// context and others. The context may be cut short anywhere
// (https://github.com/aws/amazon-redshift-python-driver/issues/107).
type scanReport struct {
	message string
	code    int
	context string
}

// signature is what makes an URL of a file one that anybody can read for an hour.
var signature = regexp.MustCompile(`(?i)\?[^\s'"]*X-Amz-[^\s'"]*`)

// withoutSignatures returns an error without URLs that anybody could use, whoever shows it and what it
// is wrapped in.
func withoutSignatures(err error) error {
	var server *pgx.PgError
	if !errors.As(err, &server) || !signature.MatchString(server.Message+"\n"+server.Detail) {
		return err
	}
	clean := *server
	clean.Message, clean.Detail = signature.ReplaceAllString(clean.Message, ""), signature.ReplaceAllString(clean.Detail, "")
	return &clean
}

var reportLine = regexp.MustCompile(`(?s)\n\s*(error|code|context|query|location|process):[ \t]*`)

func reportOf(e *pgx.PgError) scanReport {
	r := scanReport{message: errorID.ReplaceAllString(e.Message, "")}
	lines := reportLine.FindAllStringSubmatchIndex(e.Detail, -1)
	for i, at := range lines {
		end := len(e.Detail)
		if i+1 < len(lines) {
			end = lines[i+1][0]
		}
		text := strings.TrimSpace(e.Detail[at[1]:end])
		switch e.Detail[at[2]:at[3]] {
		case "code":
			r.code, _ = strconv.Atoi(text) // 0 = it was cut
		case "context":
			text, _, _ = strings.Cut(text, "\n  -----")
			r.context = strings.TrimSpace(text)
		}
	}
	return r
}

// scanPattern tells what COPY has against a file.
type scanPattern struct {
	*regexp.Regexp // with groups called column, limit, length and table
	problem        string
}

// The problems of rows and columns.
const (
	problemLong = "too long"
	problemNull = "null"
	problemType = "type"
)

// scanPatterns are the texts of the scanner, which are those of Impala's, and of what takes its
// rows (https://github.com/aws/aws-sdk-pandas/issues/280,
// https://github.com/G-Research/ParquetSharp/issues/252,
// https://docs.aws.amazon.com/redshift/latest/dg/c-spectrum-troubleshooting.html).
var scanPatterns = []scanPattern{
	{regexp.MustCompile(`(?is)length of the data column\s+(?P<column>.+?)\s+is longer than the length defined in the table(\.\s*Table:\s*(?P<limit>\d+),\s*Data:\s*(?P<length>\d+))?`), problemLong},
	{regexp.MustCompile(`(?is)cannot insert a null value into column\s+(?P<column>[^\n]+)`), problemNull},
	{regexp.MustCompile(`(?is)has an incompatible parquet schema for column '(?P<column>.+?)'(\.\s*Column type:\s*(?P<table>[^,\n]+))?`), problemType},
	{regexp.MustCompile(`(?is)column '(?P<column>.+?)' (has an invalid type length|has a scale that|has a precision that|should be a decimal)`), problemType},
}

var (
	// The file may be removed before COPY begins, before its manifest is read, or while it reads.
	goneFile    = regexp.MustCompile(`(?i)mandatory url is not present|file not found|specified key does not exist|nosuchkey|invalidrange|error code: 416`)
	refusedRole = regexp.MustCompile(`(?i)(not authorized to (assume|get credentials)|cannot assume role|assumerole)`)
	otherRegion = regexp.MustCompile(`(?i)permanentredirect|must be addressed using the specified endpoint|authorizationheadermalformed|status 301`)
	noBucket    = regexp.MustCompile(`(?i)nosuchbucket|specified bucket does not exist`)
	noAccess    = regexp.MustCompile(`(?i)access ?denied|forbidden|status 403|error code: 403`)
	partInName  = regexp.MustCompile(`-(\d{3,})\.parquet\b`)
)

// tableLoad is the COPY of one table.
type tableLoad struct {
	*warehouse.StagedTable
	loader *s3Loader
	schema string
	dir    string // of the spool
	url    string // of the manifest
	to     *stageTable
}

// explain says what an error of COPY means, and what to do.
func (l *tableLoad) explain(err error) error {
	err = withoutSignatures(err)
	var server *pgx.PgError
	if !errors.As(err, &server) {
		return err
	}
	r := reportOf(server)
	text, cfg := r.message+"\n"+r.context, l.loader.cfg
	if f, ok := l.find(text); ok { // first, since a column may be called as anything below
		return l.explainFault(f, text, err)
	}
	switch {
	case goneFile.MatchString(text):
		return pipeline.TransientFor(reasonStage, fmt.Errorf("%s, or a file that it lists, is gone or was replaced, and will be uploaded again: %w", l.url, err))
	case refusedRole.MatchString(text):
		return fmt.Errorf("COPY may not use the role of iam_role (%s): it has to be attached to the cluster or workgroup, its trust policy has to name redshift.amazonaws.com or redshift-serverless.amazonaws.com, "+
			"and each role of a chain has to be allowed to assume the next: %w", cfg.IAMRole, err)
	case otherRegion.MatchString(text):
		return fmt.Errorf("the bucket of %s has to be in the region of the cluster or workgroup: COPY of Parquet takes no other: %w", cfg.URL, err)
	case noBucket.MatchString(text):
		return fmt.Errorf("for Redshift there is no bucket of %s: it is in another partition or on another server than the cluster looks, or was removed: %w", cfg.URL, err)
	case noAccess.MatchString(text):
		return fmt.Errorf("the role of iam_role (%s) may not read %s: it needs s3:GetObject for what is below, s3:ListBucket for the bucket, and kms:Decrypt where a key of KMS is; "+
			"and no policy of the bucket may refuse presigned URLs that are up to an hour old: %w", cfg.IAMRole, cfg.URL, err)
	}
	if r.context != "" {
		err = fmt.Errorf("%w (code %d: %s)", err, r.code, r.context)
	}
	return &unclearError{load: l, err: fmt.Errorf("COPY of %s: %w", l.url, err)}
}

// scanFault is what the scanner has found wrong.
type scanFault struct {
	problem       string // empty = it is not known what
	column        int    // of the rows
	limit, length int    // in bytes; 0 = not told
	tableType     string // empty = not told
}

// find reads what the scanner has found; ok = false if it is not about a column of the rows.
func (l *tableLoad) find(text string) (f scanFault, ok bool) {
	for _, p := range scanPatterns {
		m := p.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		group := func(name string) string {
			if i := p.SubexpIndex(name); i >= 0 {
				return m[i]
			}
			return ""
		}
		f = scanFault{problem: p.problem, tableType: group("table")}
		f.limit, _ = strconv.Atoi(group("limit")) // 0 = it was cut
		f.length, _ = strconv.Atoi(group("length"))
		f.column, ok = l.column(group("column"))
		return f, ok
	}
	return f, false
}

// explainFault says what is wrong, and what to do. Types and lengths were checked when the sink was opened:
// somebody has altered the table since.
func (l *tableLoad) explainFault(f scanFault, text string, err error) error {
	what, do := "has a value that COPY does not take", l.replace(f.column)
	switch f.problem {
	case problemLong:
		what = "has a value that is longer than the column of the table now is" + l.describeRow(f.column, text, func(v pq.Value) bool {
			n := len(v.ByteArray())
			return f.length > 0 && n == f.length || f.length == 0 && n > f.limit
		})
		if f.limit > 0 {
			what += fmt.Sprintf(" (%d of %d bytes)", f.length, f.limit)
		}
		do = l.lengthen(f.column)
	case problemNull:
		what = "has a null, and in the table it may not be null any longer" + l.describeRow(f.column, text, pq.Value.IsNull)
		do = "no statement takes NOT NULL from a column: " + do
	case problemType:
		what = "has another type in the table than when the sink was opened"
		if f.tableType != "" {
			what += ": " + f.tableType
		}
	}
	return fmt.Errorf("column %q %s. The table was altered; nothing of the flush was committed. To go on: %s: %w (%s)", l.Columns[f.column], what, do, err, strings.TrimSpace(text))
}

// unclearError is an error of COPY that does not say which column it is about.
type unclearError struct {
	load *tableLoad
	err  error
}

// Error implements error.
func (e *unclearError) Error() string { return e.err.Error() }

// Unwrap returns the error of COPY.
func (e *unclearError) Unwrap() error { return e.err }

// lookUpLoadError asks the system table of load errors about an unclear one, behind the transaction that it has
// ended: the table has some of the errors of columnar files, and all of others
// (https://docs.aws.amazon.com/redshift/latest/dg/SYS_LOAD_ERROR_DETAIL.html).
func (s *Sink) lookUpLoadError(ctx context.Context, err error) error {
	var unclear *unclearError
	if !errors.As(err, &unclear) || pipeline.Retryable(err) || ctx.Err() != nil {
		return err
	}
	l := unclear.load
	files := strings.TrimSuffix(l.url, ".manifest") + "-"
	var rows [][]string
	asked := s.db.client.Do(ctx, func(ctx context.Context, c *pgconn.Conn) (err error) {
		rows, err = c.Query(ctx, loadErrorQuery, files[:min(len(files), loadErrorPath)])
		return err
	})
	if asked != nil {
		return fmt.Errorf("%w (and sys_load_error_detail could not be asked: %v)", err, asked)
	}
	if len(rows) == 0 {
		return err
	}
	// Texts are padded with blanks.
	for i, text := range rows[0] {
		rows[0][i] = signature.ReplaceAllString(strings.TrimSpace(text), "")
	}
	file, name, message := rows[0][0], rows[0][1], rows[0][2]
	f, ok := l.find(message)
	if !ok {
		if f.column, ok = l.column(name); !ok {
			return fmt.Errorf("%w (sys_load_error_detail: %s, column %s: %s)", err, file, name, message)
		}
	}
	return fmt.Errorf("table %q: %w", l.Table, l.explainFault(f, message+", File name: "+file, err))
}

// loadErrorPath is how much of a file's name the system table has.
const loadErrorPath = 256

const loadErrorQuery = "SELECT file_name, column_name, error_message FROM sys_load_error_detail WHERE strpos(file_name, $1) = 1 ORDER BY start_time DESC LIMIT 1"

// column finds the column that a message names: as the table calls it, or behind the place that is
// copied from and a dot.
func (l *tableLoad) column(name string) (int, bool) {
	name = warehouse.FoldASCII(strings.Trim(strings.TrimSpace(name), `'".`))
	best, length := -1, 0
	for i, quoted := range l.to.columns[1:] {
		c := warehouse.FoldASCII(strings.ReplaceAll(strings.Trim(quoted, `"`), `""`, `"`))
		if (name == c || strings.HasSuffix(name, "."+c)) && len(c) > length {
			best, length = i, len(c)
		}
	}
	return best, best >= 0
}

func (l *tableLoad) table() string { return warehouse.QualifiedName(l.schema, l.Table) }

// lengthen returns the statement that makes a VARCHAR as long as the pipeline has it; one of a key can't be
// altered
// (https://docs.aws.amazon.com/redshift/latest/dg/r_ALTER_TABLE.html).
func (l *tableLoad) lengthen(column int) string {
	if kind := l.to.types[column+1].Kind; kind != pipeline.String && kind != pipeline.VarChar || slices.Contains(l.Key, l.Columns[column]) {
		return l.replace(column)
	}
	return fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s TYPE %s", l.table(), warehouse.Quote(l.Columns[column]), sqlType(l.to.types[column+1]))
}

// replace returns the statements that put a column of the right type in the place of one. Keys can't be
// replaced so.
func (l *tableLoad) replace(column int) string {
	name, kind := l.Columns[column], sqlType(l.to.types[column+1])
	if slices.Contains(l.Key, name) {
		return fmt.Sprintf("it is of the key, and can't be altered: make a table with a column %s %s, and put the rows into it", warehouse.Quote(name), kind)
	}
	old, next := warehouse.Quote(name), warehouse.Quote(name+"_new")
	return fmt.Sprintf("ALTER TABLE %[1]s ADD COLUMN %[3]s %[4]s; UPDATE %[1]s SET %[3]s = %[2]s; ALTER TABLE %[1]s DROP COLUMN %[2]s; ALTER TABLE %[1]s RENAME COLUMN %[3]s TO %[2]s", l.table(), old, next, kind)
}

// describeRow finds the first value of a column that is wrong in the files of the spool, and returns it with
// the key of its row, for people, as the end of a clause; empty = it isn't there. text may name the file.
func (l *tableLoad) describeRow(column int, text string, wrong func(pq.Value) bool) string {
	files := l.Files
	if m := partInName.FindStringSubmatch(text); m != nil {
		if part, err := strconv.Atoi(m[1]); err == nil && part < len(files) {
			files = files[part : part+1]
		}
	}
	for _, f := range files {
		row, err := findRow(l.dir, f.Name, column+1, wrong)
		if err != nil {
			return fmt.Sprintf(" (which, can't be told: %v)", err) // beside the error that counts
		}
		if row != nil {
			return l.describe(column, row)
		}
	}
	return ""
}

// describe writes a value and the key of its row, but for what is masked.
func (l *tableLoad) describe(column int, row pq.Row) string {
	value := l.show(column, row)
	keys := make([]string, len(l.Key))
	for i, k := range l.Key {
		keys[i] = k + "=" + l.show(slices.Index(l.Columns, k), row)
	}
	return fmt.Sprintf(": %s, of the row with %s", value, strings.Join(keys, ", "))
}

// shownMax is how much of a value people see.
const shownMax = 100

// show writes a value for people. Columns that the pipeline file has no longer might be masked.
func (l *tableLoad) show(column int, row pq.Row) string {
	t := l.loader.tables[l.Table]
	i := -1
	if t != nil {
		i = slices.IndexFunc(t.Columns, func(c pipeline.Column) bool { return c.Name == l.Columns[column] })
	}
	if i < 0 || t.Columns[i].Masked {
		return "a masked value"
	}
	return shownText(l.to.types[column+1], row[column+1])
}
