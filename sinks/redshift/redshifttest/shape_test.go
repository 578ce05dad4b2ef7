package redshifttest

import "testing"

// known says whether a statement has only features of others.
func known(statement string, others ...string) bool {
	all := map[string]bool{}
	for _, other := range others {
		for f := range features(other) {
			all[f] = true
		}
	}
	for f := range features(statement) {
		if !all[f] {
			return false
		}
	}
	return true
}

func TestShapes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, statement, golden string
		want                    bool
	}{
		{"names and literals", `SELECT "a" FROM "s"."t" WHERE "b" = 'x\'y; (' AND 12`, "select \"q\"\n FROM \"u\".\"v\" -- why (\n WHERE \"b\" = 'z' AND 3", true},
		{"more columns", `CREATE TABLE "s"."t" ("a" bigint NOT NULL, "b" numeric(12,2), "c" numeric(38,0))`, `CREATE TABLE "s"."t" ("b" numeric(5,2), "a" bigint NOT NULL)`, true},
		{"a new type", `CREATE TABLE "s"."t" ("a" bigint NOT NULL, "b" super)`, `CREATE TABLE "s"."t" ("a" bigint NOT NULL)`, false},
		{"a type that is no key's", `CREATE TABLE "s"."t" ("a" bigint)`, `CREATE TABLE "s"."t" ("a" bigint NOT NULL)`, false},
		{"more keys", `DELETE FROM "t" USING "starlift_stage_2" WHERE "t"."a" = "s"."a" AND "t"."b" = "s"."b"`, `DELETE FROM "t" USING "starlift_stage_1" WHERE "t"."a" = "s"."a"`, true},
		{"another operator", `DELETE FROM "t" WHERE "a" <> 1`, `DELETE FROM "t" WHERE "a" = 1`, false},
		{"no condition", `DELETE FROM "t"`, `DELETE FROM "t" WHERE "a" = 1`, false},
		{"a target for a stage", `DELETE FROM "t"`, `DELETE FROM "starlift_stage_1"`, false},
		{"more rows", `INSERT INTO "t" VALUES ($1, $2), ($3, $4)`, `INSERT INTO "t" VALUES ($1)`, true},
		{"a cast", `INSERT INTO "t" VALUES ($1, $2::varbyte)`, `INSERT INTO "t" VALUES ($1)`, false},
		{"a function", `INSERT INTO "t" SELECT json_parse("a"), "b" FROM "s"`, `INSERT INTO "t" SELECT "a", "b" FROM "s"`, false},
		{"tokens of sinks", `LOCK "s"."starlift_token_0123456789abcdef"`, `LOCK "s"."starlift_token_fedcba9876543210"`, true},
		{"an option", `COPY "t" FROM 's3://b' IAM_ROLE 'r' MANIFEST STATUPDATE OFF`, `COPY "t" FROM 's3://b' IAM_ROLE 'r' MANIFEST`, false},
	} {
		if got := known(c.statement, c.golden); got != c.want {
			t.Errorf("%s: known %v, want %v", c.name, got, c.want)
		}
		if !known(c.statement, c.statement) {
			t.Errorf("%s: it is not known from itself", c.name)
		}
	}
}
