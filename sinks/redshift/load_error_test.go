package redshift

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	pgx "github.com/jackc/pgx/v5/pgconn"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/faults"
)

// block is the detail of an error of COPY, as clusters send it.
func block(message string, code int, context string) *pgx.PgError {
	const rule = "  -----------------------------------------------\n"
	detail := fmt.Sprintf("\n%s  error:  %s\n  code:      %d\n  context:   %s\n  query:     71875904\n  location:  dory_util.cpp:945\n  process:   fetchtask_thread [pid=19465]\n%s", rule, message, code, context, rule)
	return &pgx.PgError{Severity: "ERROR", Code: "XX000", Message: message, Detail: detail}
}

// typesTable has a column of each kind that a message may be about.
func typesTable(t testing.TB) *pipeline.Table {
	table := pipelinetest.TableOf(t, "Types", []string{"ID", "on"},
		pipelinetest.Column("ID", pipeline.Int64), pipelinetest.Column("on", pipeline.Date), pipelinetest.Column("note.text", pipeline.String),
		pipeline.Column{Name: "price", Type: pipeline.Type{Kind: pipeline.Decimal, Precision: 18, Scale: 2}}, pipelinetest.Column("doc", pipeline.JSONText),
		pipeline.Column{Name: "secret", Type: pipeline.Type{Kind: pipeline.String}, Masked: true}, pipelinetest.Column("text", pipeline.String))
	return table
}

// load is the COPY of two rows, in two files.
func typesLoad(t testing.TB) *tableLoad {
	t.Helper()
	table := typesTable(t)
	rows := func(object string) *pipeline.Rows { return pipelinetest.JSONRows(t, table, inserted(1), object) }
	dir, s := writeFiles(t, fileSizes{first: 1, firstFiles: 1, later: 1, least: 1, groupRows: 1}, table,
		rows(`{"ID": 1, "on": "2024-02-29", "note.text": "short", "price": 1.5, "doc": "{\"a\": 1}", "secret": "x", "text": "y"}`),
		rows(`{"ID": -2, "on": "2024-03-01", "note.text": "a longer text", "price": null, "doc": null, "secret": "confidential", "text": "`+strings.Repeat("ü", 200)+`"}`))
	s.Key = []string{"ID", "on"}
	for _, c := range table.Columns {
		s.Columns, s.Types = append(s.Columns, c.Name), append(s.Types, c.Type.String())
	}
	m, err := (&tx{SQL: &warehouse.SQL{Dialect: dialectOf(t), Schema: "Shop"}}).newMerge(s)
	if err != nil {
		t.Fatal(err)
	}
	l := &s3Loader{cfg: &S3StageConfig{URL: "s3://bucket/stage", IAMRole: "arn:aws:iam::123456789012:role/copy"}, tables: map[string]*pipeline.Table{table.Name: table}}
	return &tableLoad{StagedTable: s, loader: l, schema: "Shop", dir: dir, url: "s3://bucket/stage/p/s/0/1/.54ypes.manifest", to: &m.stage}
}

func dialectOf(t testing.TB) *warehouse.Dialect {
	t.Helper()
	return newDialect(&Config{})
}

// Texts are those that people have shown of clusters, with names of this table.
func TestLoadErrors(t *testing.T) {
	l := typesLoad(t)
	const file = "https://s3.us-east-1.amazonaws.com/bucket/stage/p/s/0/1/.54ypes-001.parquet"
	for _, tc := range []struct {
		name   string
		err    *pgx.PgError
		wants  []string
		reason string // of a retry
	}{
		{"too long", block("Spectrum Scan Error", 15001, "The length of the data column note.text is longer than the length defined in the table. Table: 8, Data: 13, File name: "+file),
			[]string{`column "note.text" has a value that is longer`, `"a longer text", of the row with ID=-2, on=2024-03-01 (13 of 8 bytes)`, `ALTER TABLE "Shop"."Types" ALTER COLUMN "note.text" TYPE character varying(65535)`, file}, ""},
		{"too long, newer", block("Spectrum Scan Error", 15007, "The length of the data column text is longer than the length defined in the table. Table: 256, Data: 400, File name: "+file),
			[]string{`column "text" has`, `…, of the row with ID=-2`, "(400 of 256 bytes)", `ALTER COLUMN "text" TYPE`}, ""},
		{"too long, cut", block("Spectrum Scan Error", 15001, "The length of the data column note.text is longer than the length defined in the ta"), []string{"code 15001: The length of the data column note.text"}, ""},
		{"too long, cut behind the table", block("Spectrum Scan Error", 15001, "The length of the data column secret is longer than the length defined in the table. Ta"),
			[]string{`column "secret" has a value that is longer`, "a masked value, of the row with ID=1", `ALTER COLUMN "secret" TYPE`}, ""},
		{"masked", block("Spectrum Scan Error", 15001, "The length of the data column secret is longer than the length defined in the table. Table: 8, Data: 12, File name: "+file),
			[]string{`column "secret" has`, "a masked value, of the row with ID=-2, on=2024-03-01 (12 of 8 bytes)"}, ""},
		{"no such value", block("Spectrum Scan Error", 15001, "The length of the data column text is longer than the length defined in the table. Table: 8, Data: 9, File name: "+file),
			[]string{`longer than the column of the table now is (9 of 8 bytes). The table was altered`}, ""},
		{"a document", block("Spectrum Scan Error", 15001, "The length of the data column _starlift_doc_4 is longer than the length defined in the table. Table: 8, Data: 8, File name: https://x/.54ypes-000.parquet"),
			[]string{`column "doc" has a value`, `"{\"a\": 1}", of the row with ID=1, on=2024-02-29`, `ADD COLUMN "doc_new" super`}, ""},
		{"null", block("Cannot insert a NULL value into column price", 8007, ""),
			[]string{`column "price" has a null`, "null, of the row with ID=-2, on=2024-03-01", `ALTER TABLE "Shop"."Types" ADD COLUMN "price_new" numeric(18,2); UPDATE "Shop"."Types" SET "price_new" = "price"; ALTER TABLE "Shop"."Types" DROP COLUMN "price"; ALTER TABLE "Shop"."Types" RENAME COLUMN "price_new" TO "price"`}, ""},
		{"null, with an identifier", block("Cannot insert a NULL value into column price [ErrorId: 1-65e8f5b1-2ab3]", 8007, ""), []string{`column "price" has a null`}, ""},
		{"another type", block("Spectrum Scan Error", 15007, "File '"+file+"' has an incompatible Parquet schema for column 's3://bucket/stage/p/s/0/1/.54ypes.manifest.note.text'. Column type: INT, Parquet schema:\noptional byte_array note.text [i:0 d:1 r:0]"),
			[]string{`column "note.text" has another type in the table than when the sink was opened: INT`, `ADD COLUMN "note.text_new" character varying(65535)`}, ""},
		{"another type of a key", block("Spectrum Scan Error", 15007, `File '`+file+`' has an incompatible Parquet schema for column 's3://bucket/x.id'. Column type: VARCHAR, Parquet schema:\noptional int64 x [i:0 d:1 r:0]`),
			[]string{`column "ID" has another type`, ": VARCHAR. The table was altered", "it is of the key"}, ""},
		{"a precision", block("Spectrum Scan Error", 15001, "File '"+file+"' column 'price' has an invalid type length. Expecting: 5 len in file: 8"),
			[]string{`column "price" has another type`, `numeric(18,2)`}, ""},
		{"columns", block("Spectrum Scan Error", 15007, "Unmatched number of columns between table and file. Table columns: 20, Data columns: 16, File name: "+file),
			[]string{"COPY of s3://bucket/stage/p/s/0/1/.54ypes.manifest", "code 15007: Unmatched number of columns"}, ""},
		{"a column of nobody", block("Cannot insert a NULL value into column other", 8007, ""), []string{"COPY of s3://bucket", "column other"}, ""},
		{"no detail", &pgx.PgError{Code: "XX000", Message: "Spectrum Scan Error"}, []string{"COPY of s3://bucket/stage/p/s/0/1/.54ypes.manifest: ", "Spectrum Scan Error"}, ""},
		{"a file is gone", block("Mandatory url is not present in manifest file.", 8001, ""), []string{"gone or was replaced, and will be uploaded again"}, reasonStage},
		{"a file was replaced", block("HTTP response error code: 416 Message: InvalidRange The requested range is not satisfiable", 15001, "S3 key being read : s3://x"), []string{"uploaded again"}, reasonStage},
		{"no access", block("S3ServiceException:Access Denied,Status 403,Error AccessDenied,Rid 1,ExtRid x,CanRetry 1", 8001, "Failed to initialize S3 output stream."),
			[]string{"the role of iam_role (arn:aws:iam::123456789012:role/copy) may not read s3://bucket/stage", "s3:GetObject", "s3:ListBucket", "kms:Decrypt", "presigned"}, ""},
		{"another region", block("S3ServiceException:The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint.,Status 301,Error PermanentRedirect,Rid 1,ExtRid x,CanRetry 1", 8001, ""),
			[]string{"has to be in the region of the cluster"}, ""},
		{"no bucket", block("S3ServiceException:The specified bucket does not exist,Status 404,Error NoSuchBucket,Rid 1,ExtRid x,CanRetry 1", 8001, ""), []string{"there is no bucket of s3://bucket/stage"}, ""},
		{"an URL that anybody can read", block("Spectrum Scan Error", 15001, "Retries exceeded: https://s3.eu-west-1.amazonaws.com/bucket/x.parquet?X-Amz-Algorithm=A&X-Amz-Signature=confidential ."),
			[]string{"Retries exceeded: https://s3.eu-west-1.amazonaws.com/bucket/x.parquet ."}, ""},
		{"an URL that anybody can read, in the message", block("S3 Query Exception (Fetch): https://b.s3.amazonaws.com/x.parquet?X-Amz-Algorithm=A&X-Amz-Signature=confidential: failed", 15001, "-"),
			[]string{"https://b.s3.amazonaws.com/x.parquet"}, ""},
		{"a role", block("Not authorized to get credentials of role arn:aws:iam::123456789012:role/copy", 30000, ""), []string{"COPY may not use the role", "trust policy", "redshift-serverless.amazonaws.com"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := l.explain(tc.err)
			wantError(t, err, tc.wants...)
			var server *pgx.PgError
			if errors.As(err, &server) && strings.Contains(server.Message+server.Detail, "confidential") {
				t.Errorf("an URL that anybody can use is in %+v", server)
			}
			if text := err.Error() + describeCopyError(tc.err); strings.Contains(text, "confidential") {
				t.Errorf("a masked value is shown: %v", err)
			}
			if got := pipeline.RetryReason(err); got != tc.reason {
				t.Errorf("is tried again for %q, want %q", got, tc.reason)
			}
		})
	}
	// What the pipeline file has no longer might be masked.
	l.loader.tables = nil
	wantError(t, l.explain(block("Spectrum Scan Error", 15001, "The length of the data column note.text is longer than the length defined in the table. Table: 8, Data: 13, File name: "+file)), "a masked value, of the row with ID=a masked value")
}

// Somebody alters a table while the sink is open: the error says what, and where, and no row is lost.
func TestTableIsAltered(t *testing.T) {
	t.Parallel()
	table := typesTable(t)
	table.Name = "types"
	d := newStageDriver(t, table).start()
	columns := []string{"id bigint NOT NULL", `"on" date NOT NULL`, `"note.text" varchar(65535)`, "price numeric(18,2)", "doc super", "secret varchar(65535)", "text varchar(65535)", "PRIMARY KEY (id)"}
	make := func(column int, as string) {
		t.Helper()
		altered := append([]string{}, columns...)
		altered[column] = as
		d.c.Exec(fmt.Sprintf("DROP TABLE %s; CREATE TABLE %[1]s (%s)", d.in("types"), strings.Join(altered, ", ")))
	}
	d.Prepare(pipelinetest.JSONRows(t, table, inserted(1), `{"ID": 7, "on": "2024-02-29", "note.text": "a longer text", "price": null, "doc": "{\"a\": 1}", "secret": "confidential", "text": ""}`))
	for _, tc := range []struct {
		column int
		as     string
		wants  []string
	}{
		{2, `"note.text" varchar(8)`, []string{`column "note.text" has a value`, `"a longer text", of the row with ID=7, on=2024-02-29 (13 of 8 bytes)`}},
		{2, `"note.text" bigint`, []string{`column "note.text" has another type`}},
		{3, "price numeric(18,2) NOT NULL", []string{`column "price" has a null`, "null, of the row with ID=7"}},
		{3, "price numeric(10,2)", []string{`column "price" has another type`}},
		{5, "secret varchar(3)", []string{`column "secret" has a value`, "a masked value, of the row with ID=7"}},
		{0, "id varchar(10)", []string{`column "ID" has another type`, "it is of the key"}},
	} {
		make(tc.column, tc.as)
		err := d.sink.Commit(t.Context(), d.Pending)
		wantError(t, err, append(tc.wants, `table "types"`)...)
		if pipeline.Retryable(err) || strings.Contains(fmt.Sprint(err), "confidential") {
			t.Errorf("%s: error %v", tc.as, err)
		}
	}
	make(7, columns[7])
	d.Commit()
	if got := d.c.Query("SELECT id, price, secret FROM " + d.in("types")); len(got) != 1 || got[0] != "7|null|confidential" {
		t.Errorf("rows %q", got)
	}
}

// What the error itself does not say, the system table of load errors may.
func TestLoadErrorIsLookedUp(t *testing.T) {
	t.Parallel()
	table := typesTable(t)
	table.Name = "types"
	d := newStageDriver(t, table).start()
	d.c.Exec(fmt.Sprintf(`DROP TABLE %s; CREATE TABLE %[1]s (id bigint, "on" date, "note.text" varchar(8), price numeric(18,2), doc super, secret varchar(65535), text varchar(65535))`, d.in("types")))
	d.Prepare(pipelinetest.JSONRows(t, table, inserted(1), `{"ID": 7, "on": "2024-02-29", "note.text": "a longer text", "price": null, "doc": null, "secret": "confidential", "text": ""}`))
	if err := d.sink.Commit(t.Context(), d.Pending); err == nil {
		t.Fatal("the row was loaded")
	}
	staged, err := warehouse.ReadStaged(d.Pending)
	if err != nil {
		t.Fatal(err)
	}
	m, err := (&tx{SQL: &warehouse.SQL{Dialect: dialectOf(t), Schema: d.cfg.Schema}}).newMerge(&staged[0])
	if err != nil {
		t.Fatal(err)
	}
	l := &tableLoad{StagedTable: &staged[0], loader: d.loader, schema: d.cfg.Schema, dir: d.Spool(1), url: d.loader.store.URL(d.loader.folder.manifest(1, rowsName(&staged[0]))), to: &m.stage}
	cut := l.explain(block("Spectrum Scan Error", 15001, "The length of the da"))
	wantError(t, cut, "COPY of "+l.url, "code 15001: The length of the da")
	wantError(t, d.sink.lookUpLoadError(t.Context(), cut), `table "types": column "note.text" has a value that is longer`, `"a longer text", of the row with ID=7, on=2024-02-29`, "ALTER COLUMN")
	// Of another COPY it has nothing, and what is clear is not looked up.
	l.url = "s3://bucket/other.manifest"
	other := l.explain(block("Spectrum Scan Error", 15001, "The length of the da"))
	if err := d.sink.lookUpLoadError(t.Context(), other); err != other {
		t.Errorf("got error %v", err)
	}
	d.c.Inject(faults.Rule{Kind: faults.LostBefore, Pattern: "sys_load_error_detail"})
	wantError(t, d.sink.lookUpLoadError(t.Context(), other), "COPY of s3://bucket/other.manifest", "sys_load_error_detail could not be asked")
}
