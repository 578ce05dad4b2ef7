package translate_test

import (
	"reflect"
	"testing"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/load"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/schema"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/translate"
)

// plan is what a statement comes to.
func (s *session) plan(sql string) *translate.Plan {
	s.t.Helper()
	texts, err := syntax.Parse(sql)
	if err != nil {
		s.t.Fatal(err)
	}
	plan, err := translate.Statement(s.t.Context(), &texts[0], s.env, s.conn)
	if err != nil {
		s.t.Fatalf("%s\n\t%v", sql, err)
	}
	return plan
}

// TestCopyOptions asks for what each option becomes.
func TestCopyOptions(t *testing.T) {
	s := newSession(t)
	if _, err := s.try(`create table f(i bigint identity, "Id" int not null, c varchar(20), d super)`); err != nil {
		t.Fatal(err)
	}
	id := load.Column{Name: "id", Type: schema.Type{Kind: schema.Integer}, NotNull: true}
	c := load.Column{Name: "c", Type: schema.Type{Kind: schema.Varchar, Length: 20}}
	d := load.Column{Name: "d", Type: schema.Type{Kind: schema.Super}}
	role := load.Access{User: "awsuser", Roles: []string{"default"}}
	for sql, want := range map[string]load.CopyOptions{
		`copy f from 's3://b/p' iam_role default`: {Columns: []load.Column{id, c, d}, Access: role},
		`copy f (c, id) from 's3://b/p' iam_role default format as parquet manifest fillrecord serializetojson acceptinvchars '^'`: {
			Columns: []load.Column{c, id}, Access: role, Format: load.Parquet, Manifest: true, FillRecord: true, SerializeToJSON: true,
			AcceptInvalid: true, Replacement: '^',
		},
		`copy f (id) from 's3://b/p' iam_role default csv quote as '%' delimiter '\t' gzip ignoreheader 2 null as 'x' maxerror 7 noload encoding utf16le`: {
			Columns: []load.Column{id}, Access: role, Format: load.CSV, Compression: load.GZIP, MaxError: 7, NoLoad: true,
			Text: load.TextOptions{Delimiter: '\t', Quote: '%', IgnoreHeader: 2, Null: "x", NullSet: true, Encoding: "utf16le"},
		},
		`copy f (id) from 's3://b/p' iam_role default null as '\000'`: {
			Columns: []load.Column{id}, Access: role, Text: load.TextOptions{Null: `\0`, NullSet: true},
		},
		`copy f (id) from 's3://b/p' iam_role default null '\0'`: {
			Columns: []load.Column{id}, Access: role, Text: load.TextOptions{Null: `\0`, NullSet: true},
		},
		`copy f (id) from 's3://b/p' credentials 'aws_access_key_id=A;aws_secret_access_key=S;token=T' delimiter '\\036' escape removequotes emptyasnull
			blanksasnull trimblanks truncatecolumns roundec acceptanydate dateformat 'auto' timeformat as 'epochsecs' ignoreblanklines bzip2 ignoreallerrors`: {
			Columns: []load.Column{id}, Access: load.Access{User: "awsuser", KeyID: "A", Secret: "S", Token: "T"}, Compression: load.BZIP2, IgnoreAllErrors: true,
			Text: load.TextOptions{Delimiter: '\036', Escape: true, RemoveQuotes: true, EmptyAsNull: true, BlanksAsNull: true, TrimBlanks: true,
				TruncateColumns: true, RoundDecimals: true, AcceptAnyDate: true, DateFormat: "auto", TimeFormat: "epochsecs", IgnoreBlankLines: true},
		},
		`copy f (id) from 's3://b/p' access_key_id 'A' secret_access_key 'S' session_token 'T' fixedwidth 'a:3' lzop`: {
			Columns: []load.Column{id}, Access: load.Access{User: "awsuser", KeyID: "A", Secret: "S", Token: "T"}, Format: load.FixedWidth,
			Compression: load.LZOP, Text: load.TextOptions{Widths: []int{3}},
		},
		`copy f (id) from 's3://b/p' credentials 'aws_iam_role=arn:aws:iam::123456789012:role/r' format json as 'auto ignorecase' zstd`: {
			Columns: []load.Column{id}, Access: load.Access{User: "awsuser", Roles: []string{"arn:aws:iam::123456789012:role/r"}}, Format: load.JSON,
			Compression: load.ZSTD, Text: load.TextOptions{JSONPaths: "auto ignorecase"},
		},
	} {
		plan := s.plan(sql)
		want.Table, want.Source = "f", "s3://b/p"
		if plan.Copy == nil || !reflect.DeepEqual(plan.Copy.Options, want) {
			t.Errorf("%s\n\tgives %+v\n\twant  %+v", sql, plan.Copy, want)
		}
		if len(plan.Writes) != 1 || len(plan.SQL) != 0 {
			t.Errorf("%s writes %v by %q", sql, plan.Writes, plan.SQL)
		}
	}
	if into := s.plan(`copy f (c, id) from 's3://b/p' iam_role default`).Copy.Into; into != `"public"."f" ("c", "id")` {
		t.Error(into)
	}
}

func TestUnloadOptions(t *testing.T) {
	s := newSession(t)
	if _, err := s.try(`create table f(a int, b varchar(20), c date)`); err != nil {
		t.Fatal(err)
	}
	role := load.Access{User: "awsuser", Roles: []string{"default"}}
	for options, want := range map[string]load.UnloadOptions{
		``: {},
		`csv header gzip parallel off cleanpath manifest verbose delimiter as ';' null as 'N' maxfilesize 10 mb extension '.txt'`: {
			Format: load.CSV, Header: true, Compression: load.GZIP, Serial: true, CleanPath: true, Manifest: true, Verbose: true,
			Delimiter: ';', Null: "N", NullSet: true, MaxFileSize: 10 << 20, Extension: "txt",
		},
		`format as parquet allowoverwrite parallel on partition by (c, "B") include rowgroupsize 64`: {
			Format: load.Parquet, AllowOverwrite: true, PartitionBy: []string{"c", "b"}, Include: true, RowGroupSize: 64 << 20,
		},
		`addquotes escape zstd parallel`:           {AddQuotes: true, Escape: true, Compression: load.ZSTD},
		`json encrypted auto`:                      {Format: load.JSON},
		`fixedwidth as '0:3,1:20,2:10' bzip2`:      {Format: load.FixedWidth, Widths: []int{3, 20, 10}, Compression: load.BZIP2},
		`csv region 'eu-central-1' parallel false`: {Format: load.CSV, Serial: true},
	} {
		plan := s.plan(`unload ('select * from f') to 's3://b/p' iam_role default ` + options)
		want.Target, want.Access = "s3://b/p", role
		if plan.Unload == nil || !reflect.DeepEqual(plan.Unload.Options, want) {
			t.Errorf("%s\n\tgives %+v\n\twant  %+v", options, plan.Unload, want)
		}
		if len(plan.Reads) != 1 || plan.Unload.SQL == "" {
			t.Errorf("%s reads %v by %q", options, plan.Reads, plan.Unload.SQL)
		}
	}
}
